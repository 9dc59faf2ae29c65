// The awaitable behind `co_await ref.send<M>(args...)`.
//
// It gives result<void>: ok means that the message is in the target's mailbox (in this process) or encoded
// into the lane to the target's node, and that it will be delivered or counted as a dead letter, exactly
// once. Errors: no_such_actor, stopped, unreachable, too_large, not_encodable, no_memory, full (only for a send to
// oneself, which never waits), expired. It waits while the target has no room: as long as .within(d) allows, and
// while a request is served no longer than that request's deadline. Destroyed while it waits, the message was
// never sent. The result may be dropped: failures are counted by the node. Belongs to the actor that awaits it.
#pragma once

#include <coroutine>

#include <troupe/detail/address.hpp>
#include <troupe/detail/awaited_in_place.hpp>
#include <troupe/detail/message.hpp>
#include <troupe/detail/strand.hpp>
#include <troupe/detail/timer_wheel.hpp>
#include <troupe/result.hpp>

namespace troupe {

namespace detail {

struct link_wait;  // waits for credit on a link (delivery.cpp)

/// What an operation says it waits in, if it is an awaiting_receipt of a send or an ask: compared by address.
inline constexpr char waits_to_send[] = "send";
inline constexpr char waits_for_reply[] = "ask";

/// An operation that ends when a receipt for it comes home (strand::find gives it to actor_core::complete).
class awaiting_receipt : public operation {
 public:
  awaiting_receipt() noexcept = default;
  ~awaiting_receipt() { cancel({}); }

  /// A receipt addressed to this operation; it must be suspended already. `parked`: it has to wait for room.
  void expect(receipt* r, bool parked = false) noexcept;
  void arrive(receipt* r) noexcept;
  /// The wait for `target` begins: arms `t` for its deadline (instant::max(): none). If the target is an actor of this
  /// process, `t` fires before that as well, for the watchdog: then still_early().
  void begin(timer& t, const address& target, priority lane, instant deadline) noexcept;
  /// The timer has fired: for the watchdog, which looks for a wait cycle, and not for the deadline.
  bool still_early(timer& t) noexcept;
  /// The actor of this process that is waited for; null: none.
  const address* target() const noexcept { return target_; }
  instant began() const noexcept { return began_; }
  priority lane() const noexcept { return lane_; }
  bool parked() const noexcept { return parked_; }
  /// As far as its target has said.
  bool is_handed_on() const noexcept {
    return outstanding_ == nullptr || outstanding_->handed_on.load(std::memory_order_relaxed);
  }
  /// Gives the wait up: what has not been admitted yet never will be, and a handler at work on it is cancelled. Says
  /// whether the former was so.
  bool abandon(const address& target) noexcept;
  /// The same, and no longer waits for anything.
  void cancel(const address& target) noexcept;
  /// Where the request is (ask_stage), as far as its target has said.
  std::int32_t stage() const noexcept {
    return outstanding_ != nullptr ? outstanding_->stage.load(std::memory_order_relaxed) : 0;
  }
  receipt* arrived() const noexcept { return arrived_; }
  receipt* take() noexcept { return std::exchange(arrived_, nullptr); }

 private:
  receipt* outstanding_ = nullptr;  // owned by the target until it arrives
  receipt* arrived_ = nullptr;      // owned here
  const address* target_ = nullptr;
  instant deadline_{};
  instant began_{};
  priority lane_{};          // of its message, in the target's mailbox
  bool parked_ = false;      // it had to wait for room in a mailbox of this process
  duration looked_after_{};  // by the watchdog; it looks again when the wait is twice as old
};

}  // namespace detail

class [[nodiscard("co_await it: a send that is not awaited sends nothing")]] send_operation {
 public:
  send_operation(const detail::address& to, detail::envelope* e) noexcept : to_(to), envelope_(e) {}
  send_operation(const send_operation&) = delete;
  send_operation& operator=(const send_operation&) = delete;
  ~send_operation();

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> sender,
                     std::source_location at = std::source_location::current());
  result<void> await_resume() noexcept;

  /// How long to wait for room, from the moment of the co_await.
  auto within(duration d) noexcept {
    within_ = d;
    return detail::awaited_in_place(*this);
  }
  /// What has not been accepted yet never will be.
  void cancel() noexcept;

 private:
  struct deadline_timer : detail::timer {
    explicit deadline_timer(send_operation& o) noexcept
        : timer([](timer& self) noexcept { static_cast<deadline_timer&>(self).of.on_deadline(); }), of(o) {}
    send_operation& of;
  };
  bool settle(error outcome) noexcept;
  void on_deadline() noexcept;

  detail::address to_;
  detail::envelope* envelope_;  // ours until it is accepted
  error outcome_ = errc::ok;
  bool awaited_ = false;
  detail::awaiting_receipt wait_;
  detail::link_wait* link_wait_ = nullptr;
  duration within_ = duration::max();
  deadline_timer deadline_{*this};
};

}  // namespace troupe
