// Runs seeds in processes of their own: one a processor, so that both are used, and so that a seed that crashes is a
// failed seed and not the end of the run.
#pragma once

#include <cstdint>
#include <functional>

#include "seed_run.hpp"

namespace seeds {

/// Calls `done` for each of the seeds first…first+count-1, in no order. A crash is a violation.
void run_seeds(std::uint64_t first, std::uint64_t count, troupe::sim::fault_set allowed, bool log,
               const std::function<void(std::uint64_t seed, const outcome&)>& done);

/// One seed in a process of its own.
outcome run_apart(std::uint64_t seed, troupe::sim::fault_set allowed, bool log);

}  // namespace seeds
