// Whether somebody sleeps, and who has to wake him: a worker, a stream that waits for room in a lane, a reader of shared
// memory.
//
// A Dekker handshake between `asleep_` and what is posted to the sleeper: an inbox, the bytes of a lane, a position in
// a ring. The sleeper says that it sleeps, fences, and looks once more; a poster posts, fences, and looks at asleep_.
// Both fences are seq_cst, so at least one of the two sees the other: no wake-up is lost. A release store and an acquire
// load in their place would lose some, though not on x86.
//
// | operation         | who         | synchronisation                                                        |
// | after_post        | any thread  | fence seq_cst; load; exchange: of several posters one wakes            |
// | asleep_after_post | any thread  | the same without the exchange, for one that may only read the gate     |
// | before_last_look  | the sleeper | store; fence seq_cst                                                   |
// | wake              | any thread  | relaxed exchange: who is told looks again, and fences before it sleeps |
// | is_shut           | any thread  | relaxed load: it may be changing                                       |
// | awake             | the sleeper | relaxed store: a poster that sees it late wakes once too often         |
//
// The gate may lie in memory that another process writes: anything but zero there says that it sleeps.
#pragma once

#include <cstdint>

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class sleep_gate {
 public:
  /// Something was posted. True: wake the sleeper.
  bool after_post() noexcept { return asleep_after_post() && wake(); }
  /// The same for each of several posters, until the sleeper or wake() opens the gate.
  bool asleep_after_post() const noexcept {
    fence(std::memory_order_seq_cst);  // with the one in before_last_look
    return asleep_.load(std::memory_order_relaxed) != 0;
  }
  /// True: the sleeper sleeps, and is to be told.
  bool wake() noexcept { return asleep_.exchange(0, std::memory_order_relaxed) != 0; }
  /// The sleeper sleeps unless it finds something now.
  void before_last_look() noexcept {
    asleep_.store(1, std::memory_order_relaxed);
    fence(std::memory_order_seq_cst);  // with the one in asleep_after_post
  }
  bool is_shut() const noexcept { return asleep_.load(std::memory_order_relaxed) != 0; }
  /// Writes only where that changes something: posters read it all the time.
  void awake() noexcept {
    if (asleep_.load(std::memory_order_relaxed) != 0) asleep_.store(0, std::memory_order_relaxed);
  }

 private:
  atomic<std::uint64_t> asleep_{0};
};

}  // namespace troupe::detail
