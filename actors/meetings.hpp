// How this node gets to know a third one, whose actor a peer has sent it a ref of. Lives on worker 0.
//
// Who sent the ref, the introducer, is asked where that node can be dialled, and it is dialled there; nothing is relayed. Who
// sends to such an actor, asks or monitors it waits until that has succeeded or failed (link_send.cpp). It is tried once each
// time that a ref of that node comes while none is under way, with 64 at a time; a node that has been linked is dialled again by the hub only.
//
// | operation  | who                                                                        |
// | can_meet   | any thread                                                                 |
// | begin      | any thread                                                                 |
// | over, end  | worker 0                                                                   |
#pragma once

#include <map>

#include <troupe/protocol.hpp>
#include <troupe/ref.hpp>

#include "by_number.hpp"

namespace troupe::detail {

class node_core;
class peer_node;
class worker_state;

class meetings {
 public:
  static constexpr std::size_t most_at_a_time = 64;

  explicit meetings(node_core& node) : node_(node) {}

  static bool can_meet(const peer_node& whom) noexcept;
  void begin(peer_node& whom);
  void over(peer_node& whom);
  /// The node stops: gives up those under way.
  void end();

 private:
  node_core& node_;
  std::map<peer_node*, ref<>, by_number> under_way_;  // each an actor
};

/// What waits on this worker for a meeting that is over goes to the link, or is told that there is none.
void end_meeting(worker_state& here, peer_node& whom);

}  // namespace troupe::detail
