// Work that needs nothing but the processor.
#pragma once

#include <algorithm>
#include <cstdint>

#include "bench_case.hpp"

namespace bench {

/// So many steps of a generator (xorshift64*: Vigna, 2014), which no compiler foresees. Without the product every bit would be linear
/// in the seed, and one bit of a hundred seeds now and then the same.
inline std::uint64_t work(std::uint64_t seed, std::uint64_t steps) {
  std::uint64_t x = seed * 2 + 1;
  for (std::uint64_t i = 0; i < steps; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  return x * 0x2545F4914F6CDD1Du >> 32;
}

/// How many steps take that long on a processor that does nothing else: by the quickest of some tries.
inline std::uint64_t steps_of(std::chrono::duration<double> length) {
  constexpr std::uint64_t tried = 1'000'000;
  double quickest = 1e9;
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < 20; ++i) {
    const stopwatch watch;
    sum += work(i, tried);
    quickest = std::min(quickest, watch.seconds());
  }
  check(sum != 0, "work: there was none");
  return static_cast<std::uint64_t>(static_cast<double>(tried) * (length.count() / quickest));
}

}  // namespace bench
