// Whether a worker sleeps, and who has to wake it.
//
// A Dekker handshake between `asleep_` and the worker's inbox. The worker says that it sleeps, fences, and looks at the
// inbox once more; a poster enqueues, fences, and looks at asleep_. Both fences are seq_cst, so at least one of
// the two sees the other: no wake-up is lost. A release store and an acquire load in their place would lose some, though
// not on x86.
//
// | operation          | who        | synchronisation                                                       |
// | after_post         | any thread | fence seq_cst; load; exchange: of several posters one wakes           |
// | before_last_look   | the worker | store; fence seq_cst                                                  |
// | awake              | the worker | relaxed store: a poster that sees it late wakes once too often        |
#pragma once

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class sleep_gate {
 public:
  /// Something is in the inbox now. True: wake the worker.
  bool after_post() noexcept {
    fence(std::memory_order_seq_cst);  // with the one in before_last_look
    return asleep_.load(std::memory_order_relaxed) && asleep_.exchange(false, std::memory_order_relaxed);
  }
  /// The worker sleeps unless it finds something in its inbox now.
  void before_last_look() noexcept {
    asleep_.store(true, std::memory_order_relaxed);
    fence(std::memory_order_seq_cst);  // with the one in after_post
  }
  void awake() noexcept { asleep_.store(false, std::memory_order_relaxed); }

 private:
  atomic<bool> asleep_{false};
};

}  // namespace troupe::detail
