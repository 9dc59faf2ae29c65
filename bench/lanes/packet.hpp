// What the yardsticks and the peers of the lanes carry; troupe's own cases encode a struct of the same fields.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bench {

/// 64 bytes.
struct packet {
  std::int64_t value;
  std::int64_t rest[7];
};

/// How many a run of a case sends.
constexpr std::uint64_t full_lane_rounds = 10'000;
constexpr std::uint64_t full_lane_stream = 5'000'000;
constexpr std::uint64_t full_asleep_rounds = 500;
/// Before each round that finds both sides asleep.
constexpr auto asleep_after = std::chrono::microseconds(500);

/// Of messages of that size.
constexpr std::uint64_t full_lane_loads(std::size_t bytes) { return (std::uint64_t{1} << 30) / bytes; }

}  // namespace bench
