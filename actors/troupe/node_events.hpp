// Nodes that come and go, as messages: node.watch_nodes(ref).
//
//   troupe::actor keeper(troupe::self<troupe::node_events> self) {
//     self.node().watch_nodes(self.me());
//     co_await self.serve([](const troupe::node_up& n) { … n.node … },
//                       [](const troupe::node_down& n) { … n.node, n.reason.text … });
//   }
#pragma once

#include <string>

#include <troupe/detail/actor_core.hpp>
#include <troupe/protocol.hpp>

namespace troupe {

/// A node is linked, and the names that it has published are known here.
struct node_up {
  std::string node;
};

/// It is linked no more: died (its process, for certain, or it said goodbye) or unreachable (it may live on).
struct node_down {
  std::string node;
  exit_reason reason;
};

using node_events = protocol<node_up, node_down>;

}  // namespace troupe
