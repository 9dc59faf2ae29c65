// The system that every seed runs: some nodes on some hosts, whose actors talk, ask, watch, fail and are replaced.
#pragma once

#include "scene.hpp"

namespace seeds {

/// Starts the nodes; the numbers of nodes, hosts, workers and actors are drawn from the world.
/// The answer: the processes.
std::vector<const troupe::sim::process*> start_system(const scene_ptr& s);

/// After the world was healed: whether every node can ask every station.
bool everybody_answers(const scene_ptr& s, const std::vector<const troupe::sim::process*>& all);

}  // namespace seeds
