// A message that an actor's timer sends: once, or again and again (self.send_after, self.every). The actor owns
// it, on its home worker; it ends with the actor.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <troupe/detail/timer_wheel.hpp>
#include <troupe/give.hpp>
#include <troupe/ref.hpp>

namespace troupe::detail {

class actor_core;

class timed_send : public timer {
 public:
  explicit timed_send(duration every) noexcept;
  virtual ~timed_send() = default;
  /// False if the target has gone for good.
  virtual bool send() = 0;

  actor_core* owner = nullptr;
  std::uint64_t number = 0;
  const duration period;  // zero: once
  instant due{};
};

template <class P, class M>
class timed_send_of final : public timed_send {
 public:
  timed_send_of(duration every, const ref<P>& to, M message)
      : timed_send(every), to_(to), message_(std::move(message)) {}

  bool send() override {
    if constexpr (std::is_copy_constructible_v<M>) {
      if (period != duration::zero()) {
        M copy(message_);
        return may_take_more(to_.template try_send<M>(give(copy)));
      }
    }
    return may_take_more(to_.template try_send<M>(give(message_)));
  }

 private:
  static bool may_take_more(const result<void>& sent) noexcept {
    return sent.has_value() || sent.error() != errc::no_such_actor;
  }

  ref<P> to_;
  M message_;
};

/// The number by which it can be called off.
std::uint64_t begin_timed_send(actor_core& owner, std::unique_ptr<timed_send> what, duration first);
bool end_timed_send(actor_core& owner, std::uint64_t number) noexcept;

}  // namespace troupe::detail
