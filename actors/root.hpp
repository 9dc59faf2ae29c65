// The root actor of a node: slot 0, generation 1, the parent of everything that node.spawn starts, and the
// one that peers' requests go to. Its announcers, one a link, tell the peers this node's names
// and the nodes that it knows.
#pragma once

#include <string>
#include <vector>

#include <troupe/down.hpp>
#include <troupe/protocol.hpp>
#include <troupe/ref.hpp>

#include "mesh.hpp"
#include "names.hpp"

namespace troupe::detail {

/// `from` is the sender's root: it tells the receiver which peer is speaking.
struct names_said {
  using reply = void;  // heard
  ref<> from;
  std::vector<name_change> changes;
  bool all = false;  // nothing more for now
  std::vector<introduction> nodes;
};

struct spawn_answer {
  errc outcome = errc::ok;
  ref<> actor;
};
struct spawn_request {
  using reply = spawn_answer;
  ref<> from;
  std::string kind;
  std::string schema;
  std::string arguments;
};

/// The URL where the asker can dial that node; empty: none is known.
struct where_is {
  using reply = std::string;
  ref<> from;
  incarnation who;
};

using root_protocol = protocol<names_said, spawn_request, where_is, down>;

inline constexpr std::uint32_t root_slot = 0;
inline constexpr std::uint32_t root_generation = 1;

ref<root_protocol> root_of(peer_node& peer) noexcept;
ref<names_changed> spawn_announcer(node_core& node, peer_node& peer);
void spawn_root(node_core& node);

void monitor(actor_core& watcher, const address& whom);

}  // namespace troupe::detail
