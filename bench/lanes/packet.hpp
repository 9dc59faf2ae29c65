// What the yardsticks and the peers of the lanes carry; troupe's own cases encode a struct of the same fields.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

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

/// What is written once, and read in place by each of the readers: one byte of each page.
constexpr std::size_t sheet_bytes = 1u << 20;
constexpr unsigned sheet_readers = 4;

inline std::int64_t sum_of_pages(std::span<const std::byte> bytes) {
  constexpr std::size_t page = 4096;
  std::int64_t sum = 0;
  for (std::size_t i = page - 1; i < bytes.size(); i += page) sum += std::to_integer<std::int64_t>(bytes[i]);
  return sum;
}
/// Of so many whose bytes are 1, numbered from 0.
inline std::int64_t sum_of_sheets(std::uint64_t count) {
  return static_cast<std::int64_t>(count * (count - 1) / 2 + count * (sheet_bytes / 4096));
}

}  // namespace bench
