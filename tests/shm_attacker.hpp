// A hostile peer on shared memory: it links honestly up to the memory, and then writes what it likes there.
#pragma once

#include <fcntl.h>
#include <poll.h>

#include <array>

#include "raw_peer.hpp"
#include "shm_memory.hpp"

namespace hostile {

struct shm_attacker {
  explicit shm_attacker(const endpoint& tcp) : peer(beside(tcp)) {
    if (!peer.link(raw_peer::introduction(true))) throw std::runtime_error("the node did not take the link");
    memory = prepare_shm(os_env(), 1, 1, shm_limits{});
    if (!memory.offer.ok) throw std::runtime_error(memory.offer.text);
  }
  static endpoint beside(const endpoint& tcp) {
    endpoint local;
    local.family = endpoint::kind::local;
    local.path = "@troupe-" + std::to_string(os_env().user_id()) + "-" + std::to_string(tcp.port);
    return local;
  }
  /// Offers these descriptors and takes what the node offers; the node's verdict.
  std::optional<memory_offer> offer(std::span<const int> descriptors) {
    if (!os_env().send_descriptors(peer.fd, greet(greeting_kind::memory, memory.offer), descriptors))
      return std::nullopt;
    heard theirs;
    bytes raw(greeting_header_bytes + 5);
    pollfd readable{peer.fd, POLLIN, 0};
    ::poll(&readable, 1, 10'000);
    auto got = os_env().receive_descriptors(peer.fd, raw, 2);
    if (!got || got->bytes != raw.size()) return std::nullopt;
    theirs.header = *parse_header(byte_view(raw).first(greeting_header_bytes));
    theirs.body = {raw.begin() + greeting_header_bytes, raw.end()};
    theirs.descriptors = std::move(got->descriptors);
    const memory_offer mine = map_peer_shm(os_env(), memory, theirs);
    peer.say(greet(greeting_kind::mapped, mine));
    const auto verdict = peer.hear_greeting();
    if (!verdict || verdict->first != greeting_kind::mapped) return std::nullopt;
    return parse_memory_offer(verdict->second);
  }
  /// The descriptors that an honest peer offers.
  std::array<int, 2> honest() const { return {memory.memory_fd.get(), memory.bell.heard.get()}; }
  void ring() {
    (void)::fcntl(memory.bell.rung.get(), F_SETFL, O_NONBLOCK);  // whatever was done to it
    os_env().ring(memory.bell.rung.get());
  }

  raw_peer peer;
  shm_pair memory;
};

inline test_node& start(test_node& node, endpoint& at) {
  at = node.listen();
  node.start();
  return node;
}

}  // namespace hostile
