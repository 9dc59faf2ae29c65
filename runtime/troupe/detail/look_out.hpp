// When a worker without work looks out for some, instead of going to sleep at once: waking one that sleeps takes 15 µs,
// one that looks takes a tenth of one.
//
// It learns: a time in which nothing came makes the next less likely, so that a worker which wakes for a timer now and then
// does not pay for that. And if it is held up while it looks, more wants to run than there are processors: then it leaves its
// own to others for a while. The worker's own thread only.
#pragma once

#include <algorithm>

#include <troupe/env.hpp>

namespace troupe::detail {

class look_out {
 public:
  static constexpr unsigned looks = 32;                                     // between two looks at the clock
  static constexpr duration held_up_after = std::chrono::microseconds(30);  // without one
  static constexpr duration least_pause = std::chrono::milliseconds(10);
  static constexpr duration longest_pause = std::chrono::seconds(1);

  /// `most`: how long at a time; zero: not at all.
  explicit look_out(duration most) noexcept : most_(most) {}

  duration most() const noexcept { return most_; }
  bool pays(instant now) noexcept {
    if (most_ == duration::zero() || now < not_before_) return false;
    if (credit_ > 0) return true;
    skipped_ = (skipped_ + 1) % trial_after;
    return skipped_ == 0;
  }
  void something_came() noexcept {
    credit_ = std::min(credit_ + 2, most_credit);
    pause_ = std::max(pause_ / 2, least_pause);
  }
  void nothing_came() noexcept { credit_ = std::max(credit_ - 1, 0); }
  /// Once is chance.
  void was_held_up(instant now) noexcept {
    credit_ -= most_credit / 2;
    if (credit_ > 0) return;
    credit_ = most_credit / 2;
    not_before_ = now + pause_;
    pause_ = std::min(2 * pause_, longest_pause);
  }

 private:
  static constexpr int most_credit = 8;
  static constexpr unsigned trial_after = 32;  // times that it went to sleep at once

  const duration most_;
  int credit_ = most_credit;
  unsigned skipped_ = 0;
  instant not_before_{};
  duration pause_ = least_pause;
};

/// Between two looks at what another processor writes: lets this one's other half, and its memory, work.
inline void relax_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace troupe::detail
