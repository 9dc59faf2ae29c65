// Which worker something runs on, and how it moves to another one.
//
// Only its home touches what it is made of, so only its home gives it away: it says to whom, and posts it there. On the way it
// has no home; whoever has something for it puts that where home looks for it (an inlet) and posts it to the worker to come.
// Whatever is posted to a worker that is not its home any more is posted on. So nothing gets lost, and what a thread did
// for it before comes before what it does after.
//
// | operation | who                                      | synchronisation                                                  |
// | is        | any thread                               | relaxed: a worker that finds itself has written that, or its     |
// |           |                                          | taken_by has                                                     |
// | target    | any thread                               | relaxed: a worker that it was, is or is to be at: it posts it on |
// | give_to   | home, when it is in no queue             | store release: all that home did to it, to taken_by              |
// | taken_by  | a worker that finds it in its inbox      | load acquire: from give_to                                       |
#pragma once

#include <cstdint>

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class worker;

class home_word {
 public:
  explicit home_word(worker* first) noexcept : word_(number(first)) {}

  bool is(const worker* w) const noexcept { return word_.load(std::memory_order_relaxed) == number(w); }
  worker* target() const noexcept {
    return reinterpret_cast<worker*>(word_.load(std::memory_order_relaxed) & ~on_its_way);
  }
  void give_to(worker& next) noexcept {
    word_.store(number(&next) | on_its_way, std::memory_order_release);  // to taken_by
  }
  /// True: it is at home there, if it was not before.
  bool taken_by(worker& here) noexcept {
    const std::uintptr_t now = word_.load(std::memory_order_acquire);  // from give_to
    if (now == number(&here)) return true;
    if (now != (number(&here) | on_its_way)) return false;
    word_.store(number(&here), std::memory_order_relaxed);
    return true;
  }

 private:
  static constexpr std::uintptr_t on_its_way = 1;
  static std::uintptr_t number(const worker* w) noexcept { return reinterpret_cast<std::uintptr_t>(w); }

  atomic<std::uintptr_t> word_;
};

}  // namespace troupe::detail
