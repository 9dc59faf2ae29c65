// The awaitable behind `co_await ref.ask<M>(args...).within(d)`.
//
// It gives result<reply_of<M>>. Without `within` the node's default deadline holds (5 s), never infinity. Asked
// while a request is served, it ends no later than that request, and without `within` at that request's deadline:
// a deadline travels with the work, over every hop and lane.
// Errors: no_such_actor, stopped, unreachable, link_down, too_large, not_encodable; mailbox_full (the
// deadline passed while the request still waited for room), expired (it passed later), no_reply (the target
// ended without answering), handler_failed (its handler threw). The room for the reply is taken when asking,
// so a reply is never refused. A request whose deadline has passed is not started. An ask that is given up (its deadline has
// passed, or it is destroyed) cancels the handler that works on it, at that handler's next suspension. Belongs to
// the actor that awaits it.
//
// error::detail of expired says where the request was: see ask_stage (result.hpp).
#pragma once

#include <coroutine>
#include <cstdint>
#include <optional>
#include <utility>

#include <troupe/detail/awaited_in_place.hpp>
#include <troupe/detail/timer_wheel.hpp>
#include <troupe/send.hpp>

namespace troupe {

namespace detail {

enum class send_outcome : std::uint8_t;

class ask_base {
 public:
  ask_base(const address& to, envelope* e) noexcept;
  ask_base(const ask_base&) = delete;
  ask_base& operator=(const ask_base&) = delete;
  ~ask_base();

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> asker,
                     std::source_location at = std::source_location::current());
  /// Gives the request up: what was not sent never will be, and a reply is lost, and counted as that.
  void cancel() noexcept;

 protected:
  std::optional<duration> within_;
  bool told_ = false;  // await_resume has been called
  /// The receipt with the reply, or null and `failure_` says why.
  receipt* answer() const noexcept { return wait_.arrived(); }
  receipt* take_answer() noexcept { return wait_.take(); }
  error failure() const noexcept;

 private:
  struct deadline_timer : timer {
    explicit deadline_timer(ask_base& o) noexcept
        : timer([](timer& self) noexcept { static_cast<deadline_timer&>(self).owner.on_deadline(); }),
          owner(o) {}
    ask_base& owner;
  };
  void on_deadline() noexcept;
  bool fail(error why) noexcept;

  // link_send.cpp
  friend struct link_wait;
  friend class peers;
  void submit_to_link() noexcept;
  void on_link_room(send_outcome how) noexcept;
  void on_link_reply(errc status, reader& body) noexcept;
  void end_link_ask(error why) noexcept;
  void forget_link_ask() noexcept;
  void cancel_link_ask() noexcept;

  bool abandon() noexcept;

  address to_;
  envelope* envelope_;  // ours until it is handed over
  error failure_ = errc::ok;
  bool awaited_ = false;
  awaiting_receipt wait_;
  deadline_timer timer_;
  link_wait* link_wait_ = nullptr;
  std::uint64_t correlation_ = 0;  // not 0: the reply comes over a link
};

}  // namespace detail

template <class R>
class [[nodiscard("co_await it: an ask that is not awaited asks nothing")]] ask_operation
    : private detail::ask_base {
 public:
  using ask_base::ask_base;
  using ask_base::await_ready;
  using ask_base::await_suspend;
  using ask_base::cancel;

  /// The deadline, from the moment of the co_await.
  auto within(duration d) noexcept {
    within_ = d;
    return detail::awaited_in_place(*this);
  }

  result<R> await_resume() {
    told_ = true;
    if (detail::receipt* const r = answer(); r != nullptr && r->outcome == errc::ok) {
      if constexpr (std::is_void_v<R>) {
        return {};
      } else {
        return std::move(*static_cast<R*>(r->storage()));
      }
    }
    return failure();
  }
};

}  // namespace troupe
