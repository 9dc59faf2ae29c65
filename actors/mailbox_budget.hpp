// The bytes in all mailboxes of a node, against one limit.
//
// A message that was made here counts from when it is on its way to a mailbox, at its sender's, until it is taken out; one
// that comes over a link, which its credit bounds, or that waits for room, from when it is in the queue. Each worker has a share, which
// it alone writes: what it has added and taken away. It tells the sum when that has moved by a grain, so the sum is off by
// at most a grain a worker, and grains are small enough that this is a sixteenth of the limit.
//
// | operation                  | who                    | synchronisation                                             |
// | share::add (grain reached) | the share's worker     | fetch_add relaxed: a count; the call that crosses the limit |
// | add                        | threads that are no    | downwards is told so, and wakes who waits                   |
// |                            | workers of the node    |                                                             |
// | spent                      | any thread             | relaxed load: a hint                                        |
//
// Over the limit a mailbox that holds a message has no room. What waits for the node's room alone is noted by its own
// worker, and looked at again when the sum falls: the note that says so comes through the worker's inbox, so either it
// finds the waiter noted, or the waiter had seen the fallen sum.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

namespace troupe::detail {

class mailbox_budget {
 public:
  static constexpr std::uint64_t least = 1u << 20;
  static constexpr std::uint64_t most = std::uint64_t{1} << 46;

  mailbox_budget(std::uint64_t limit, unsigned workers) noexcept
      : limit_(static_cast<std::int64_t>(limit)),
        grain_(std::min<std::int64_t>(limit_ / (16 * std::int64_t{workers}), 64 * 1024)) {}

  /// True: the node had no room, and has some now.
  bool add(std::int64_t bytes) noexcept {
    const std::int64_t before = sum_.fetch_add(bytes, std::memory_order_relaxed);
    return before >= limit_ && before + bytes < limit_;
  }

  class share {
   public:
    explicit share(mailbox_budget& b) noexcept : all_(b), grain_(b.grain_) {}
    bool add(std::int64_t bytes) noexcept {
      untold_ += bytes;
      if (static_cast<std::uint64_t>(untold_ + grain_) <= static_cast<std::uint64_t>(2 * grain_))
        return false;
      return all_.add(std::exchange(untold_, 0));
    }
    bool spent() const noexcept { return all_.spent(); }

   private:
    mailbox_budget& all_;
    const std::int64_t grain_;
    std::int64_t untold_ = 0;
  };

  bool spent() const noexcept { return sum_.load(std::memory_order_relaxed) >= limit_; }

 private:
  const std::int64_t limit_;
  const std::int64_t grain_;
  std::atomic<std::int64_t> sum_{0};
};

}  // namespace troupe::detail
