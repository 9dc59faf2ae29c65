// A structure as it is shipped, in a small program: no run violates it, and with any one of its ordered operations made weaker
// some run does, as far as the explorer can show it (engine.hpp).
#pragma once

#include "catch.hpp"

#include <cstdio>
#include <string>

#include "explorer/atomic.hpp"

namespace troupe::explorer {

struct expected {
  std::size_t
      ordered;  // operations of the structure that are stronger than relaxed, as far as the program meets them
  std::size_t needed;  // those of them that the program goes wrong without
};

/// `structure`: the file whose ordered operations are made weaker, one after the other. Prints a line for each.
inline void check_model(const std::string& structure, const expected& counts, const program& p,
                        const limits& most = {}) {
  const findings sound = explore(p, most);
  INFO(sound.trace);
  CHECK(sound.violation == "");
  CHECK(sound.complete);
  std::printf("%s: %llu runs, no violation\n", structure.c_str(),
              static_cast<unsigned long long>(sound.runs));
  expected met{0, 0};
  for (const site& s : sound.ordered) {
    if (!s.file.ends_with("/" + structure)) continue;
    ++met.ordered;
    const findings weak = explore(p, most, &s);
    if (!weak.violation.empty()) ++met.needed;
    std::printf("%s:%u made weaker: %s (run %llu)\n", structure.c_str(), s.line,
                weak.violation.empty() ? "no violation" : weak.violation.c_str(),
                static_cast<unsigned long long>(weak.runs));
  }
  CHECK(met.ordered == counts.ordered);
  CHECK(met.needed == counts.needed);
}

}  // namespace troupe::explorer
