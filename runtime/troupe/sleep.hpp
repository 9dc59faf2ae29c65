// co_await sleep: waits for a time in an actor or a task that an actor awaits.
#pragma once

#include <coroutine>
#include <source_location>

#include <troupe/detail/strand.hpp>
#include <troupe/detail/timer_wheel.hpp>
#include <troupe/env.hpp>

namespace troupe {

/// Ends no earlier than `d` after the co_await, at most one timer tick (65 µs) and one worker turn later.
class [[nodiscard("co_await it")]] sleep_operation : detail::timer {
 public:
  explicit sleep_operation(duration d) noexcept
      : timer([](timer& self) noexcept { static_cast<sleep_operation&>(self).wait_.complete(); }), for_(d) {}

  bool await_ready() const noexcept { return for_ <= duration::zero(); }
  void await_suspend(std::coroutine_handle<> sleeper,
                     std::source_location at = std::source_location::current()) {
    wait_.suspend(sleeper, "sleep", at);
    detail::worker& w = wait_.owner()->home();
    w.timers().arm(*this, for_ < instant::max() - w.now() ? w.now() + for_ : instant::max());
  }
  void await_resume() const noexcept {}
  void cancel() noexcept {
    timer::cancel();
    wait_.cancel();
  }

 private:
  duration for_;
  detail::operation wait_;
};

}  // namespace troupe
