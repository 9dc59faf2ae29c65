// Whether the observer of held_watch sleeps until a worker runs an actor again.
//
// The Dekker handshake of sleep_gate.hpp, but its fence costs a worker nothing: the observer pays for both, in time. It
// parks, and looks once more a slice later. A run that began before its worker could see that has long become visible
// by then; any later one wakes the observer.
//
// | operation       | who                         | synchronisation                                              |
// | after_run_began | a worker, behind its begin  | light fence; relaxed load                                    |
// | before_look     | the observer, each slice    | heavy fence: between what next_wait stored and what it looks at |
// | next_wait       | the observer, under a mutex | relaxed                                                      |
// | wake, woken     | who wakes, the observer; under the mutex | relaxed                                         |
#pragma once

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class watch_park {
 public:
  /// After so many looks that have found nothing it parks, and sleeps after one more.
  explicit watch_park(unsigned quiet_looks) noexcept : quiet_looks_(quiet_looks) {}

  /// True: the observer is to be woken.
  bool after_run_began() const noexcept {
    light_fence();  // with the one in before_look
    return parked_.load(std::memory_order_relaxed);
  }
  void wake() noexcept { parked_.store(false, std::memory_order_relaxed); }

  // The observer.
  static void before_look() noexcept { heavy_fence(); }  // with the one in after_run_began
  /// What follows a look, as so many before it found nothing. True: sleep until woken; false: for a slice, or less if
  /// it is woken.
  bool next_wait(unsigned quiet) noexcept {
    const bool sleeps =
        quiet > quiet_looks_ && parked_.load(std::memory_order_relaxed);  // not woken meanwhile
    parked_.store(quiet >= quiet_looks_, std::memory_order_relaxed);
    parks_ = quiet >= quiet_looks_;
    return sleeps;
  }
  bool woken() const noexcept { return parks_ && !parked_.load(std::memory_order_relaxed); }

 private:
  const unsigned quiet_looks_;
  bool parks_ = false;  // the observer's: it has parked, unless it was woken
  atomic<bool> parked_{false};
};

}  // namespace troupe::detail
