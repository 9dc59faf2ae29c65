// One seed, from its first to its last instant.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <troupe/sim_faults.hpp>

namespace seeds {

struct outcome {
  std::uint64_t nodes = 0;
  std::uint64_t messages = 0;
  std::uint64_t trace = 0;
  std::uint64_t resumed =
      0;  // how often the sessions that live at the end have changed their connection, at each of their ends
  std::uint64_t moved = 0;  // how often a session went over to shared memory, at each of its ends
  std::uint64_t fell = 0;   // and back to a socket
  troupe::sim::fault_counts injected{};
  std::string violations;  // a line each; empty: none
};

/// Runs it in this process, which must run nothing else. `log`: the lines of troupe::log go to standard error.
outcome run_seed(std::uint64_t seed, troupe::sim::fault_set allowed, bool log);

}  // namespace seeds
