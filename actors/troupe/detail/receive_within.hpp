// `.within(d)` of a receive: it ends with errc::expired when no message has come by then.
#pragma once

#include <coroutine>
#include <source_location>

#include <troupe/detail/timer_wheel.hpp>

namespace troupe::detail {

class receiver;
/// The time is over: ends the receive, unless it has its message.
void expire_receive(receiver& r) noexcept;
void arm_for(timer& t, receiver& r, duration d) noexcept;

/// Awaits the receive where it is: it must outlive this, as a temporary of the same co_await does.
template <class Receive>
class [[nodiscard("co_await it")]] receive_within : timer {
 public:
  receive_within(Receive& r, receiver& base, duration d) noexcept
      : timer([](timer& self) noexcept { expire_receive(*static_cast<receive_within&>(self).base_); }),
        receive_(&r),
        base_(&base),
        for_(d) {}

  bool await_ready(std::source_location at = std::source_location::current()) const noexcept {
    if constexpr (requires { receive_->await_ready(at); }) {
      return receive_->await_ready(at);
    } else {
      return receive_->await_ready();
    }
  }
  void await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current()) {
    receive_->await_suspend(waiter, at);
    arm_for(*this, *base_, for_);
  }
  auto await_resume() { return receive_->await_resume(); }
  void cancel() noexcept {
    timer::cancel();
    receive_->cancel();
  }

 private:
  Receive* receive_;
  receiver* base_;
  duration for_;
};

}  // namespace troupe::detail
