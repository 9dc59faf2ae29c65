// What the peer gives back to one stream: acknowledgements and credit. The session's home worker writes it
// when it reads them; the stream's worker takes them over. Bounded whatever the peer sends: one counter a
// window, in blocks of 64 that are made when the first of them is used (an idle link is small).
//
// | operation       | who                 | synchronisation                                          |
// | acked, credited | the home worker     | release on the word or bit that announces it             |
// | take_*          | the stream's worker | acquire exchange of that word: it sees what was announced|
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <new>

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class return_board {
 public:
  return_board(std::uint32_t windows, std::uint32_t window_bytes)
      : windows_(windows),
        window_bytes_(window_bytes),
        owed_(std::make_unique<counters[]>((windows + 63) / 64)),
        marked_(std::make_unique<atomic<std::uint64_t>[]>((windows + 63) / 64)) {}

  void acked(std::uint64_t sequence) noexcept { acked_.store(sequence, std::memory_order_release); }
  std::uint64_t take_acked() const noexcept { return acked_.load(std::memory_order_acquire); }

  /// False: more than a whole window waits to be taken over, so the peer gave back what it never had.
  bool credited(std::uint32_t window, std::uint32_t bytes) noexcept {
    if (window >= windows_ || bytes > window_bytes_) return false;
    auto& block = owed_[window / 64];  // shown to the stream's worker by the mark
    if (!block)
      block.reset(new (std::nothrow) atomic<std::uint32_t>[std::min(windows_ - window / 64 * 64, 64u)]());
    if (!block) return false;
    const std::uint32_t before = block[window % 64].fetch_add(bytes, std::memory_order_relaxed);
    if (before > window_bytes_ - bytes) return false;
    marked_[window / 64].fetch_or(std::uint64_t{1} << window % 64, std::memory_order_release);
    return true;
  }
  /// Calls `take(window, bytes)` for each window that was given credit.
  template <class Take>
  void take_credit(Take take) {
    for (std::uint32_t word = 0; word < (windows_ + 63) / 64; ++word) {
      if (marked_[word].load(std::memory_order_relaxed) == 0) continue;
      for (auto bits = marked_[word].exchange(0, std::memory_order_acquire); bits != 0; bits &= bits - 1) {
        const std::uint32_t window = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
        take(window, owed_[word][window % 64].exchange(0, std::memory_order_relaxed));
      }
    }
  }

 private:
  using counters = std::unique_ptr<atomic<std::uint32_t>[]>;

  std::uint32_t windows_;
  std::uint32_t window_bytes_;
  atomic<std::uint64_t> acked_{0};
  std::unique_ptr<counters[]> owed_;
  std::unique_ptr<atomic<std::uint64_t>[]> marked_;
};

}  // namespace troupe::detail
