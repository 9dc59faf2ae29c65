// Two nodes that have joined through a proxy which cuts their connections.
#pragma once

#include "cutting_proxy.hpp"
#include "raw_peer.hpp"

namespace cuts {

using namespace hostile;
using test::cutting_proxy;
using cut = cutting_proxy::cut;

inline endpoint at_port(std::uint16_t port) {
  return *endpoint::parse("tcp://127.0.0.1:" + std::to_string(port));
}

/// `front` has joined `back` through a proxy.
struct cut_pair {
  explicit cut_pair(unsigned workers = 1, io_backend io = io_backend::automatic,
                    const std::function<void(link_options&)>& adjust = {}, bool front_listens = false)
      : back({workers, io, true, "back"}, adjust), front({workers, io, true, "front"}, adjust) {
    const endpoint at = back.listen();
    if (front_listens) front.listen();
    proxy.emplace(at.port);
    back.start();
    front.start();
    REQUIRE(front.join(at_port(proxy->port())) == "back");
    REQUIRE(back.linked());
    REQUIRE(front.linked());
  }
  test_node back;
  test_node front;
  std::optional<cutting_proxy> proxy;
};

/// Sends note `number`, and tries again as long as there is no room.
inline send_outcome send_when_possible(test_node& from, unsigned worker, std::uint64_t target,
                                       std::uint64_t number, std::size_t text) {
  const auto until = std::chrono::steady_clock::now() + 60s;
  for (;;) {
    const send_outcome how = from.send(worker, target, number, text);
    const bool later = how == send_outcome::blocked || how == send_outcome::no_credit;
    if (!later || std::chrono::steady_clock::now() > until) return how;
  }
}

/// Within ten seconds.
template <class F>
bool becomes_true(F f) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  bool so = f();
  while (!so && std::chrono::steady_clock::now() < until) so = f();
  return so;
}

/// Whether the notes that came from each worker are 0 … count-1, once each and in order.
inline bool all_in_order(record& r, unsigned workers, std::uint64_t count) {
  std::vector<std::uint64_t> next(workers);
  for (const arrival& a : r.arrivals) {
    if (a.number != next[a.stream]++) return false;
  }
  return std::ranges::all_of(next, [&](std::uint64_t n) { return n == count; });
}

inline std::uint64_t resumed(test_node& node) {
  return node.with_link([](session& s) { return s.resumed(); });
}

}  // namespace cuts
