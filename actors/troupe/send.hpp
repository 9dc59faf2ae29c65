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
#include <cstdint>

#include <troupe/assert.hpp>
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
  void begin(timer& t, const address& target, priority lane, instant now, instant deadline) noexcept;
  /// The timer has fired: for the watchdog, which looks for a wait cycle, and not for the deadline.
  bool still_early(timer& t) noexcept;
  /// The actor of this process that is waited for; null: none.
  const address* target() const noexcept { return target_; }
  instant began() const noexcept { return began_; }
  priority lane() const noexcept { return lane_; }
  bool parked() const noexcept { return parked_; }
  /// As far as its target has said.
  bool is_handed_on() const noexcept {
    if (here_ != nullptr) return false;
    return outstanding_ == nullptr || outstanding_->handed_on.load(std::memory_order_relaxed);
  }
  /// The same for an actor of this worker, without a deadline; `crowds` looks for when it is old.
  void begin_untimed(const address& target, priority lane, instant now) noexcept;
  /// What waits is `e`, in the target's waiting list, and both are at home here; null: it does no longer.
  void wait_here(envelope* e) noexcept {
    here_ = e;
    parked_ = true;
  }
  /// Gives the wait up: what has not been admitted yet never will be, and a handler at work on it is cancelled. Says
  /// whether the former was so.
  bool abandon(const address& target) noexcept;
  /// The same, and no longer waits for anything.
  void cancel(const address& target) noexcept {
    if (here_ != nullptr || outstanding_ != nullptr || arrived_ != nullptr) give_up(target);
    operation::cancel();
  }
  /// Where the request is (ask_stage), as far as its target has said.
  std::int32_t stage() const noexcept {
    return outstanding_ != nullptr ? outstanding_->stage.load(std::memory_order_relaxed) : 0;
  }
  receipt* arrived() const noexcept { return arrived_; }
  receipt* take() noexcept { return std::exchange(arrived_, nullptr); }

 private:
  void give_up(const address& target) noexcept;

  envelope* here_ = nullptr;        // owned by the target
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

class send_operation;

namespace detail {

/// A send that waits for room, or for credit on a link.
class waiting_send : timer {
 public:
  explicit waiting_send(send_operation& o) noexcept
      : timer([](timer& self) noexcept { static_cast<waiting_send&>(self).on_deadline(); }), of_(o) {}
  ~waiting_send();

  void begin(std::coroutine_handle<> sender, std::source_location at);
  error outcome() const noexcept;
  /// By the target, of the same worker: what has become of the message.
  void end(error why) noexcept;
  instant began() const noexcept { return wait_.began(); }
  /// It is old: the watchdog looks after it.
  void has_become_old() noexcept {
    if (!armed()) on_deadline();
  }

 private:
  void begin_here() noexcept;
  void begin_elsewhere() noexcept;
  void begin_timed(priority lane) noexcept;
  void on_deadline() noexcept;

  send_operation& of_;
  awaiting_receipt wait_;
  link_wait* link_wait_ = nullptr;
};

enum class send_try : std::uint8_t { done, must_wait, unknown };
/// actor_core::push_here.
send_try push_here(actor_core& to, std::uint32_t generation, envelope* e) noexcept;
/// The same if it is for an actor of this process at all.
inline send_try send_here(const address& to, envelope* e) noexcept {
  if (to.is_remote() || !to || e == nullptr) return send_try::unknown;
  if (!e->type->owns_nothing) weigh(*e);
  return push_here(*to.core(), to.generation, e);
}
/// Sends `e` if there is room for it, and then it is no longer the caller's; else `outcome` says why not.
send_try send_now(const address& to, envelope*& e, error& outcome) noexcept;
void count_refused(const address& to) noexcept;

}  // namespace detail

class [[nodiscard("co_await it: a send that is not awaited sends nothing")]] send_operation {
 public:
  send_operation(const detail::address& to, detail::envelope* e) noexcept : to_(to), envelope_(e) {}
  send_operation(const send_operation&) = delete;
  send_operation& operator=(const send_operation&) = delete;
  ~send_operation() {
    TROUPE_ASSERT(awaited_, "a send was made and not awaited: write co_await ref.send<M>(...)");
    if (waits_ || envelope_ != nullptr) cancel();
  }

  bool await_ready() noexcept {
    TROUPE_ASSERT(!awaited_, "await a send once");
    awaited_ = true;
    detail::send_try how = detail::send_here(to_, envelope_);
    if (how == detail::send_try::done) envelope_ = nullptr;
    if (how == detail::send_try::unknown) how = detail::send_now(to_, envelope_, outcome_);
    return how == detail::send_try::done;
  }
  void await_suspend(std::coroutine_handle<> sender,
                     std::source_location at = std::source_location::current());
  result<void> await_resume() noexcept {
    if (waits_) outcome_ = waiting_.outcome();
    if (outcome_.code == errc::ok) return {};
    detail::count_refused(to_);
    return outcome_;
  }

  /// How long to wait for room, from the moment of the co_await.
  auto within(duration d) noexcept {
    within_ = d;
    return detail::awaited_in_place(*this);
  }
  /// What has not been accepted yet never will be.
  void cancel() noexcept;

 private:
  friend class detail::waiting_send;

  detail::address to_;
  detail::envelope* envelope_;  // ours until it is accepted
  error outcome_ = errc::ok;
  duration within_ = duration::max();
  bool awaited_ = false;
  bool waits_ = false;  // or has waited: then there is waiting_
  union {
    detail::waiting_send waiting_;  // most sends need not wait
  };
};

inline void detail::waiting_send::end(error why) noexcept {
  wait_.wait_here(nullptr);
  of_.outcome_ = why;
  wait_.complete();
}

}  // namespace troupe
