// The limits of one stream that its receiver sets and its sender keeps to, and what a destination's window of credit allows:
// the sender and the receiver ask the same functions.
//
// A message costs its encoded size and `message_overhead`; and what it lends (loans.hpp) up to a sixteenth of the largest message,
// so that memory is used again while it is still in a cache. Each destination is sure of its window. It may overdraw that while
// all overdrafts of the stream together are within their bound: so those who take much of what comes get more, and those who take
// nothing cost the others no more than the bound. With messages that fit into a frame a destination gets up to a sixteenth of
// the largest message, with those that go in chunks or lend up to a quarter, or one message. The former may use half of the bound,
// so there is always one message of the largest size for the latter, unless those are not taken either. The receiver sees less
// out than the sender, so what is right for the sender is right for the receiver.
#pragma once

#include <algorithm>
#include <cstdint>

#include "frame.hpp"

namespace troupe::detail {

inline constexpr std::uint32_t message_overhead = 64;
inline constexpr std::uint32_t least_message_limit = max_chunk;
inline constexpr std::uint32_t most_message_limit = 256u << 20;

struct credit_limits {
  std::uint32_t window_bytes;
  std::uint32_t windows;
  std::uint32_t routes;
  std::uint32_t max_message = max_chunk;  // bytes of one, encoded

  /// What a message costs that has `bytes` in its frames.
  std::uint32_t cost(const frame_header& header, std::size_t bytes) const noexcept {
    if (header.apart) return cost(header.total, header.lent - header.total);
    return cost(header.total != 0 ? header.total : bytes, header.lent);
  }
  std::uint32_t cost(std::size_t bytes, std::uint64_t lent) const noexcept {
    const std::uint64_t sum = bytes + std::min<std::uint64_t>(lent, max_message / 16);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, max_message)) + message_overhead;
  }

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
  bool lets_overdraw(std::uint64_t out, std::uint64_t cost, bool is_large) const noexcept {
    if (is_large && out <= window_bytes) return true;
    return out + cost <= max_message >> (is_large ? 2 : 4);
  }
};

}  // namespace troupe::detail
