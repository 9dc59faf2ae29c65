// The counters behind troupe::accounting. Each worker has its own set, written by its thread alone (a load
// and a store, no locked instruction) and read by whoever sums; threads that are no workers share one set.
//
// | operation   | who              | synchronisation                            |
// | add         | the set's worker | relaxed load and store: single writer      |
// | add_shared  | other threads    | relaxed fetch_add                          |
// | read        | any thread       | relaxed load: a statistic, orders nothing  |
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include <troupe/accounting.hpp>

namespace troupe::detail {

enum class entry : std::uint8_t {
  accepted_local,
  accepted_inbound,
  taken,
  handed_over,
  unknown,
  refused,
  replies_lost,
  undelivered,  // the first of accounting::reasons entries
};

class books {
 public:
  void add(entry e, std::uint64_t n = 1) noexcept { add(index(e), n); }
  void add_undelivered(errc why) noexcept {
    add(index(entry::undelivered) + static_cast<std::size_t>(why), 1);
  }
  void add_shared(entry e, std::uint64_t n = 1) noexcept {
    counts_[index(e)].fetch_add(n, std::memory_order_relaxed);
  }
  void add_undelivered_shared(errc why) noexcept {
    counts_[index(entry::undelivered) + static_cast<std::size_t>(why)].fetch_add(1,
                                                                                 std::memory_order_relaxed);
  }
  std::uint64_t get(entry e) const noexcept { return counts_[index(e)].load(std::memory_order_relaxed); }
  void sum_into(accounting& a) const noexcept;

 private:
  static constexpr std::size_t index(entry e) noexcept { return static_cast<std::size_t>(e); }
  static constexpr std::size_t entries = static_cast<std::size_t>(entry::undelivered) + accounting::reasons;
  void add(std::size_t i, std::uint64_t n) noexcept {
    counts_[i].store(counts_[i].load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  std::array<std::atomic<std::uint64_t>, entries> counts_{};
};

}  // namespace troupe::detail
