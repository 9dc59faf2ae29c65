// Tells a worker that something was put where it has to look, once for all that is there by then.
//
// Whoever puts something there announces it; only the first since the worker heard posts to it. The worker hears, and
// then looks. Both are exchanges, and the worker's takes the announcements over: it sees whatever was put there before
// an announcement that was not the first, and one that comes later is the first again. With a store in its place, be
// it seq_cst, it could miss that: nothing orders what the worker reads next after what others did before an exchange
// that it has not read.
//
// | operation | who        | synchronisation                                           |
// | announce  | any thread | exchange release: what it tells of, to the worker's heard |
// | heard     | the worker | exchange acquire: everything that was announced           |
#pragma once

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class announcement {
 public:
  /// After something was put there. True: the worker is to be told.
  bool announce() noexcept { return !made_.exchange(true, std::memory_order_release); }  // to heard
  /// Before the worker looks.
  void heard() noexcept { made_.exchange(false, std::memory_order_acquire); }  // from announce

 private:
  atomic<bool> made_{false};
};

}  // namespace troupe::detail
