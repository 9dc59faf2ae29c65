// Whether what a receipt is for still waits, was let in, or was given up.
//
// The target's home moves open → settled when it admits the waiting message; the waiter's home moves it to cancelled when it
// gives the wait up. Both are read-modify-writes, so of open → settled and open → cancelled exactly one wins: a message that
// was given up is never delivered, and an admitted one is never called unsent. A request may go from settled to cancelled:
// it is not started any more.
//
// The winner owns the message. A receipt that was settled goes home, and the waiter's home frees it; one that was cancelled
// before is the target's to free, so what the waiter read of it must be over by then: that is the one edge there is. Who
// settles needs nothing that the waiter does meanwhile, and who finds it settled waits for the receipt, which brings its own
// edge (the inlet).
//
// | operation  | who               | synchronisation                                                      |
// | settle     | the target's home | CAS; failure acquire, from cancel: the waiter has read what it needs |
// | cancel     | the waiter's home | exchange release: to a settle that fails, and to cancelled           |
// | cancelled  | any thread        | acquire load, from cancel: who finds it so may free the receipt      |
#pragma once

#include <cstdint>

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class receipt_state {
 public:
  /// False: it was given up before.
  bool settle() noexcept {
    auto expected = at::open;
    return now_.compare_exchange_strong(expected, at::settled, std::memory_order_relaxed,
                                        std::memory_order_acquire);  // from cancel
  }
  /// True: before it was settled.
  bool cancel() noexcept {
    return now_.exchange(at::cancelled, std::memory_order_release) == at::open;  // to settle and cancelled
  }
  bool cancelled() const noexcept {
    return now_.load(std::memory_order_acquire) == at::cancelled;  // from cancel
  }

 private:
  enum class at : std::uint8_t { open, settled, cancelled };
  atomic<at> now_{at::open};
};

}  // namespace troupe::detail
