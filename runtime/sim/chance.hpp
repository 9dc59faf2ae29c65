// A seeded source of chance: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
// The same numbers on every machine and compiler. Not thread-safe.
#pragma once

#include <cstdint>

#include <troupe/env.hpp>

namespace troupe::detail {

class chance {
 public:
  explicit chance(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = state_ += 0x9E37'79B9'7F4A'7C15u;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9u;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBu;
    return z ^ (z >> 31);
  }
  /// 0…below-1. `below` is far under 2^64, so the bias of the remainder does not show.
  std::uint64_t below(std::uint64_t limit) noexcept { return next() % limit; }
  std::uint64_t between(std::uint64_t least, std::uint64_t most) noexcept {
    return least + below(most - least + 1);
  }
  bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }
  duration between(duration least, duration most) noexcept {
    return least + duration(static_cast<duration::rep>(
                       below(static_cast<std::uint64_t>((most - least).count()) + 1)));
  }
  chance split() noexcept { return chance(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace troupe::detail
