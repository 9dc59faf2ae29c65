// The order of peers and actors in tables that are walked: by their numbers, not by where they lie in memory, so that a
// simulation repeats.
#pragma once

namespace troupe::detail {

class actor_core;
class peer_node;

struct by_number {
  bool operator()(const peer_node* a, const peer_node* b) const noexcept;    // peer_node::index
  bool operator()(const actor_core* a, const actor_core* b) const noexcept;  // actor_core::slot
};

}  // namespace troupe::detail
