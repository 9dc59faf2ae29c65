// The awaitable behind self.receive<M>(): takes the first message of type M and leaves the others, in order,
// for later.
//
// co_await: result<M>, or for a request result<asked<M>>: the message and the replier that answers it. Errors:
// stopped (the actor was asked to stop), expired (with .within(d)). What it leaves counts against the mailbox's
// limit, so a mailbox can fill up with messages that nobody takes. Destroyed with a message in hand (it lost a
// select), it puts the message back to the front.
#pragma once

#include <coroutine>
#include <utility>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/receive_within.hpp>
#include <troupe/replier.hpp>

namespace troupe {

template <class M>
struct asked {
  M message;
  replier<reply_of<M>> reply;
};

namespace detail {

class selective_receiver : public receiver {
 protected:
  explicit selective_receiver(const value_type* type) noexcept : receiver(&keep, true, 1) { only = type; }
  ~selective_receiver() { cancel(); }
  void cancel() noexcept;
  envelope* taken_ = nullptr;

 private:
  static void keep(receiver& self, envelope* e) noexcept {
    static_cast<selective_receiver&>(self).taken_ = e;
  }
};

/// What receive<M>() gives.
template <class M>
struct taken_as {
  using type = M;
  static M from(envelope* e) { return std::move(*static_cast<M*>(e->message())); }
};
template <request M>
struct taken_as<M> {
  using type = asked<M>;
  static asked<M> from(envelope* e) {
    return {std::move(*static_cast<M*>(e->message())), replier<reply_of<M>>(hand_on(e))};
  }
};

}  // namespace detail

template <class M>
class [[nodiscard("co_await it")]] selective_receive : private detail::selective_receiver {
 public:
  using selective_receiver::cancel;
  selective_receive() noexcept : selective_receiver(&detail::value_type_of<M>) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current()) {
    await_in_mailbox(waiter, at);
  }
  result<typename detail::taken_as<M>::type> await_resume() {
    if (taken_ == nullptr) return ended_by;
    detail::envelope* const e = std::exchange(taken_, nullptr);
    result<typename detail::taken_as<M>::type> got(detail::taken_as<M>::from(e));
    detail::finish_as<M>(e);
    return got;
  }
  auto within(duration d) noexcept { return detail::receive_within<selective_receive>(*this, *this, d); }
};

}  // namespace troupe
