// Where other threads put an actor's letters: a stack (Treiber, 1986) that the home worker takes whole.
//
// | operation | who         | synchronisation                                                                  |
// | push      | any thread  | CAS release: publishes the letter, or several, to take                           |
// | take      | home worker | exchange acquire: sees every letter pushed before; a sender's in order, the latest first |
// | empty     | any thread  | relaxed load: a hint, for whoever pushes onto an empty inlet tells the home worker |
#pragma once

#include <troupe/detail/atomic.hpp>
#include <troupe/detail/message.hpp>

namespace troupe::detail {

class inlet {
 public:
  /// True: it was empty, and the home worker does not know yet.
  bool push(letter& l) noexcept { return push(l, l); }
  /// Several, each of whose `next` is the one before it.
  bool push(letter& latest, letter& oldest) noexcept {
    letter* head = latest_.load(std::memory_order_relaxed);
    do {
      oldest.next = head;
    } while (!latest_.compare_exchange_weak(head, &latest,
                                            std::memory_order_release,  // to the exchange in take
                                            std::memory_order_relaxed));
    return head == nullptr;
  }
  /// The latest; its `next` are those before it.
  letter* take() noexcept {
    return latest_.exchange(nullptr, std::memory_order_acquire);  // from the CAS in push
  }
  bool empty() const noexcept { return latest_.load(std::memory_order_relaxed) == nullptr; }
  /// For the home worker to walk, while nothing is taken.
  const letter* peek() const noexcept {
    return latest_.load(std::memory_order_acquire);
  }  // from the CAS in push

 private:
  atomic<letter*> latest_{nullptr};
};

}  // namespace troupe::detail
