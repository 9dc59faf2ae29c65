// The limits of one stream that its receiver sets and its sender keeps to, and what a destination's window of credit allows:
// the sender and the receiver ask the same functions.
//
// A message costs its encoded size and `message_overhead`. One that fits into a frame has to fit into the window. One that goes
// in chunks may overdraw it, by one such message, or by more as long as all that is out is a quarter of the largest. All
// overdrafts of a stream together are bounded. The receiver sees less of it out than the sender, so what is right for the
// sender is right for the receiver.
#pragma once

#include <algorithm>
#include <cstdint>

#include "session.hpp"

namespace troupe::detail {

inline constexpr std::uint32_t message_overhead = 64;
inline constexpr std::uint32_t least_message_limit = max_chunk;
inline constexpr std::uint32_t most_message_limit = 256u << 20;

struct credit_limits {
  std::uint32_t window_bytes;
  std::uint32_t windows;
  std::uint32_t routes;
  std::uint32_t max_message = max_chunk;  // bytes of one, encoded

  /// What of `out` is beyond the window.
  std::uint64_t overdraft(std::uint64_t out) const noexcept {
    return out > window_bytes ? out - window_bytes : 0;
  }
  std::uint64_t most_overdraft() const noexcept {
    return 2 * (std::uint64_t{max_message} + message_overhead);
  }
  /// What a destination may have out at the most.
  std::uint32_t most_out() const noexcept { return window_bytes + max_message + message_overhead; }

  bool lets_pass(std::uint64_t out, std::uint64_t cost) const noexcept { return out + cost <= window_bytes; }
  /// As far as its own destination goes.
  bool lets_overdraw(std::uint64_t out, std::uint64_t cost) const noexcept {
    return out <= window_bytes || out + cost <= max_message / 4;
  }
};

}  // namespace troupe::detail
