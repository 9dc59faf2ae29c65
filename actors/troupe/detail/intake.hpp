// What other threads send an actor, on its way to the mailbox: two inlets, and what its home worker has taken from them
// and not sorted in yet.
//
// Whoever pushes onto an empty inlet posts the actor to its home worker. That makes the inlet itself the "scheduled"
// flag: from empty to not empty there is exactly one post, so no wake-up can be lost. What a run leaves behind, though
// the post has come, is has_unsorted(): then the run schedules the actor again.
//
// What an inlet held is turned round, so each sender's letters stay in order, and sorted in small steps; whatever comes by
// express stops that. The rest is in unturned_ and unsorted_, older than all that is still in the inlet.
//
// | operation             | who         | synchronisation                                     |
// | push                  | any thread  | inlet::push                                         |
// | look, express         | home worker | inlet::take                                         |
// | has_unsorted, has_come, empty | home worker | relaxed: a letter that it does not see yet has a post |
// | each                  | home worker | inlet::peek                                         |
#pragma once

#include <troupe/detail/inlet.hpp>
#include <troupe/detail/mailbox.hpp>
#include <troupe/detail/message.hpp>

namespace troupe::detail {

/// `letters_per_glance`: at the express inlet, while letters are sorted.
template <unsigned letters_per_glance>
class intake {
 public:
  /// True: the actor is to be posted to its home worker.
  bool push(letter& l, bool by_express) noexcept { return (by_express ? express_ : inlet_).push(l); }
  /// The same of several, each of whose `next` is the one before it.
  bool push(letter& latest, letter& oldest) noexcept { return inlet_.push(latest, oldest); }

  /// Calls sort(letter) for everything that has come, up to the moment when something comes by express: false, and that
  /// is sorted, the rest is not.
  template <class Sort>
  bool look(Sort&& sort, bool reversed = false) noexcept {
    if (express(sort) || !sort_rest(sort, reversed)) return false;
    if (inlet_.empty()) return true;
    unturned_ = inlet_.take();
    return sort_rest(sort, reversed);
  }
  /// The same for what has come by express; false if nothing has.
  template <class Sort>
  bool express(Sort&& sort) noexcept {
    if (express_.empty()) return false;
    letter_queue in_order;
    letter* chain = express_.take();
    while (letter* const l = chain) {
      chain = l->next;
      in_order.push_front(l);
    }
    while (letter* const l = in_order.pop()) sort(l);
    return true;
  }

  bool has_unsorted() const noexcept { return has_rest() || !inlet_.empty(); }
  /// Of what a look took from the inlet.
  bool has_rest() const noexcept { return unturned_ != nullptr || unsorted_ != nullptr; }
  /// To look at.
  bool has_come() const noexcept { return !inlet_.empty() || !express_.empty(); }
  bool empty() const noexcept { return !has_unsorted() && express_.empty(); }
  template <class F>
  void each(F&& f) const {
    for (const letter* chain : {static_cast<const letter*>(unturned_), static_cast<const letter*>(unsorted_),
                                inlet_.peek(), express_.peek()}) {
      for (; chain != nullptr; chain = chain->next) f(*chain);
    }
  }

 private:
  /// Of what an earlier look took from the inlet.
  template <class Sort>
  bool sort_rest(Sort&& sort, bool reversed) noexcept {
    // Whoever pushes takes the cache line of express_ away: not at every letter.
    unsigned left = letters_per_glance;
    const auto disturbed = [&] {
      if (--left != 0) return false;
      left = letters_per_glance;
      return express(sort);
    };
    if (reversed && unturned_ != nullptr) unsorted_ = std::exchange(unturned_, nullptr);
    while (letter* const l = unturned_) {
      unturned_ = std::exchange(l->next, unsorted_);
      unsorted_ = l;
      if (disturbed()) return false;
    }
    while (letter* const l = unsorted_) {
      unsorted_ = l->next;
      sort(l);
      if (disturbed()) return false;
    }
    return true;
  }

  inlet inlet_;
  inlet express_;
  letter* unturned_ = nullptr;  // from the inlet, the latest first; all of it is older than unsorted_
  letter* unsorted_ = nullptr;  // in order
};

}  // namespace troupe::detail
