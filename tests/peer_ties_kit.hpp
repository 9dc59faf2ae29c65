// Looking into a node for what peers hold on its actors.
#pragma once

#include <future>

#include "node_core.hpp"
#include "remote_support.hpp"

namespace test {

/// Every monitor and link that peers hold on this node.
inline std::size_t ties_of_peers(troupe::node& at) {
  auto& core = troupe::detail::core_of(at);
  std::size_t sum = 0;
  for (unsigned i = 0; i < core.workers().size(); ++i) {
    std::promise<std::size_t> told;
    core.workers().at(i).post([&](troupe::detail::worker&) { told.set_value(core.state(i).ties.actors()); });
    sum += told.get_future().get();
  }
  return sum;
}

}  // namespace test
