// Links between actors: each end holds the other's address, and tells it when it ends. Here or across nodes, the same
// three things are said, as control letters or as control notes:
//
//   link    I have linked myself with you: hold my address too (or, if you are dead: sever)
//   unlink  no longer; also when an actor has returned or was stopped
//   sever   I have ended in another way, for this reason: if you still hold my address, end too
//
// An end that gives a link up forgets the other at once, so a `sever` that is on its way finds nothing to end. When
// the connection to a node is lost, its peer_ties say who held an address there. A restart is no end: links stay.
#pragma once

#include <troupe/detail/actor_core.hpp>

namespace troupe::detail {

class peer_node;
struct control_note;

/// A `link` that found `gone` dead.
void refuse_link(actor_core& gone, const control& link) noexcept;
/// One of the three from an actor of `from`; on its link's home worker.
void take_link_note(node_core& node, peer_node& from, const control_note& note);

}  // namespace troupe::detail
