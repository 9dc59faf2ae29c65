// send, try_send and ask: from the caller to the target's mailbox, or to the link to its node.
#include <algorithm>
#include <memory>
#include <utility>

#include <troupe/ask.hpp>
#include <troupe/ref.hpp>
#include <troupe/send.hpp>

#include "control.hpp"
#include "delivery.hpp"
#include "node_core.hpp"
#include "peers.hpp"

namespace troupe::detail {

// try_send.

error reserve(const address& to, const value_type& type) noexcept {
  if (!to) return errc::no_such_actor;
  const errc answer = to.is_remote() ? reserve_peer(to, type) : to.core()->reserve(to.generation, type.lane);
  if (answer != errc::ok) count_refused(to);
  return answer;
}

void unreserve(const address& to, const value_type& type) noexcept {
  if (to.is_remote()) {
    unreserve_peer(to);
  } else {
    to.core()->unreserve(type.lane);
  }
  count_refused(to);
}

error commit(const address& to, envelope* e) noexcept {
  if (to.is_remote()) return commit_peer(to, e);
  to.core()->commit(to.generation, e);
  return errc::ok;
}

// What waits.

void awaiting_receipt::give_up(const address& target) noexcept {
  abandon(target);
  if (arrived_ != nullptr) destroy(take());
}

void awaiting_receipt::expect(receipt* r, bool parked) noexcept {
  actor_core& waiter = *static_cast<actor_core*>(owner());
  r->to = &waiter;
  r->generation = waiter.generation();
  r->ticket = ticket();
  outstanding_ = r;
  parked_ = parked;
}

void awaiting_receipt::arrive(receipt* r) noexcept {
  outstanding_ = nullptr;
  arrived_ = r;
}

bool awaiting_receipt::abandon(const address& target) noexcept {
  if (here_ != nullptr) {
    target.core()->withdraw(*std::exchange(here_, nullptr));
    return true;
  }
  receipt* const r = std::exchange(outstanding_, nullptr);
  if (r == nullptr) return false;
  control* const c = target ? new control(order::cancel) : nullptr;
  if (c != nullptr) {
    c->subject = r->to;
    c->subject_generation = r->generation;
    c->watch = r->ticket;
  }
  // Against actor_core::admit. Until it has arrived the receipt lives: it is freed by this actor's own home
  // worker, when it comes back, or by the target, which then finds it cancelled.
  const bool first = r->state.cancel();
  if (c != nullptr) target.core()->command(target.generation, c);
  return first;
}

}  // namespace troupe::detail

namespace troupe {

using namespace detail;

namespace {

instant after(instant from, duration d) noexcept {
  return d < instant::max() - from ? from + d : instant::max();
}
/// `limit` may be none (zero).
instant earlier(instant limit, instant other) noexcept {
  return limit != instant{} ? std::min(limit, other) : other;
}

}  // namespace

// co_await ref.send<M>(...)

send_try detail::send_now(const address& to, envelope*& e, error& outcome) noexcept {
  if (to && !to.is_remote() && e != nullptr) {
    const errc room = to.core()->try_push(to.generation, e);
    if (room == errc::ok) {
      e = nullptr;
      return send_try::done;
    }
    outcome = room;  // a send to oneself never waits
    const bool waits = room == errc::full && current_worker->running != to.core() && to.core()->lets_wait();
    return waits ? send_try::must_wait : send_try::done;
  }
  if (!to || e == nullptr) {
    outcome = to ? errc::no_memory : errc::no_such_actor;
    return send_try::done;
  }
  const send_outcome how = send_to_peer(to, *e);
  outcome = to_error(how, *e);
  const bool waits = how == send_outcome::no_credit || how == send_outcome::blocked;
  return waits ? send_try::must_wait : send_try::done;
}

inline void waiting_send::begin(std::coroutine_handle<> sender, std::source_location at) {
  wait_.suspend(sender, waits_to_send, at);
  of_.outcome_ = errc::ok;
  if (!of_.to_.is_remote() && of_.to_.core()->at_home()) {
    begin_here();
  } else {
    begin_elsewhere();
  }
}

inline void waiting_send::begin_here() noexcept {
  const address& to = of_.to_;
  worker& here = wait_.owner()->home();
  envelope* const e = std::exchange(of_.envelope_, nullptr);
  wait_.wait_here(e);
  if (of_.within_ == duration::max() && here.work_deadline == instant{}) {
    wait_.begin_untimed(to, e->type->lane, here.turn_time());
  } else {
    begin_timed(e->type->lane);
  }
  to.core()->park_here(to.generation, e, *this);
}

void waiting_send::begin_elsewhere() noexcept {
  const address& to = of_.to_;
  begin_timed(of_.envelope_->type->lane);
  if (to.is_remote()) {
    link_wait_ = wait_for_peer(to, *of_.envelope_, wait_);
    return;
  }
  envelope* const parked = with_receipt(std::exchange(of_.envelope_, nullptr), nullptr);
  if (parked == nullptr) {
    of_.outcome_ = errc::no_memory;
    return wait_.complete();
  }
  wait_.expect(parked->answer, true);
  to.core()->park(to.generation, parked);
}

void waiting_send::begin_timed(priority lane) noexcept {
  worker& here = wait_.owner()->home();
  const instant now = here.now();
  wait_.begin(*this, of_.to_, lane, now, earlier(here.work_deadline, after(now, of_.within_)));
}

void send_operation::await_suspend(std::coroutine_handle<> sender, std::source_location at) {
  waits_ = true;
  (new (&waiting_) waiting_send(*this))->begin(sender, at);
}

inline waiting_send::~waiting_send() {
  timer::cancel();
  if (link_wait_ != nullptr) destroy(link_wait_);
  wait_.cancel(of_.to_);
}

void send_operation::cancel() noexcept {
  awaited_ = true;
  if (std::exchange(waits_, false)) waiting_.~waiting_send();
  if (envelope_ != nullptr) finish(std::exchange(envelope_, nullptr));
}

error waiting_send::outcome() const noexcept {
  if (link_wait_ != nullptr) return outcome_of(*link_wait_);
  if (wait_.arrived() != nullptr) return wait_.arrived()->outcome;
  worker& here = *current_worker;
  if (of_.outcome_.code == errc::ok)
    static_cast<worker_state*>(here.owner)->ahead.give(*here.running, *of_.to_.core());
  return of_.outcome_;
}

void waiting_send::on_deadline() noexcept {
  if (wait_.still_early(*this)) return;
  const bool still_waiting = link_wait_ != nullptr ? still_waits(*link_wait_) : wait_.abandon(of_.to_);
  if (!still_waiting) return;
  destroy(std::exchange(link_wait_, nullptr));
  of_.outcome_ = errc::expired;
  wait_.complete();
}

}  // namespace troupe

namespace troupe::detail {

// co_await ref.ask<M>(...)

ask_base::ask_base(const address& to, envelope* e) noexcept : to_(to), envelope_(e), timer_(*this) {}

ask_base::~ask_base() {
  TROUPE_ASSERT(awaited_, "an ask was made and not awaited: write co_await ref.ask<M>(...)");
  cancel();
}

void ask_base::cancel() noexcept {
  awaited_ = true;
  timer_.cancel();
  cancel_link_ask();
  free_unsent(std::exchange(envelope_, nullptr));
  if (!told_ && answer() != nullptr && answer()->has_value) count_reply_lost(to_);
  wait_.cancel(to_);
}

bool ask_base::abandon() noexcept { return wait_.abandon(to_) && wait_.parked(); }

bool ask_base::fail(error why) noexcept {
  failure_ = why;
  count_refused(to_);
  return false;
}

bool ask_base::await_suspend(std::coroutine_handle<> asker, std::source_location at) {
  awaited_ = true;
  if (!to_) return fail(errc::no_such_actor);
  if (envelope_ == nullptr) return fail(errc::no_memory);
  wait_.suspend(asker, waits_for_reply, at);
  actor_core& me = *static_cast<actor_core*>(wait_.owner());
  worker& here = me.home();
  const instant now = here.now();
  if (here.work_deadline != instant{} && here.work_deadline <= now) {
    fail(errc::expired);
    wait_.complete();
    return true;
  }
  const bool inherits = !within_ && here.work_deadline != instant{};
  const instant deadline =
      inherits ? here.work_deadline
               : earlier(here.work_deadline, after(now, within_.value_or(me.node().options().ask_deadline)));
  envelope_->answer->deadline = deadline;
  wait_.begin(timer_, to_, envelope_->type->lane, now, deadline);
  if (to_.is_remote()) {
    submit_to_link();
    return true;
  }
  receipt* const answer = envelope_->answer;
  if (send_here(to_, envelope_) == send_try::done) {
    envelope_ = nullptr;
    wait_.expect(answer);
    return true;
  }
  const errc room = to_.core()->reserve(to_.generation, envelope_->type->lane);
  const bool rejected = room == errc::full && !to_.core()->lets_wait();
  if (room != errc::ok && (room != errc::full || &me == to_.core() || rejected)) {
    fail(rejected ? errc::mailbox_full : room);
    wait_.complete();
    return true;
  }
  envelope* const e = std::exchange(envelope_, nullptr);
  wait_.expect(e->answer, room == errc::full);
  if (wait_.parked()) {
    to_.core()->park(to_.generation, e);
  } else {
    to_.core()->commit(to_.generation, e);
  }
  return true;
}

void ask_base::on_deadline() noexcept {
  if (wait_.still_early(timer_)) return;
  if (wait_.arrived() != nullptr || failure_.code != errc::ok) return;  // ready, and not yet resumed
  if (to_.is_remote()) {
    failure_ = link_wait_ != nullptr ? error(errc::mailbox_full) : error(errc::expired, stage_sent);
    cancel_link_ask();
  } else {
    const error late(errc::expired, wait_.stage());
    failure_ = abandon() ? error(errc::mailbox_full) : late;
  }
  wait_.complete();
}

error ask_base::failure() const noexcept {
  if (failure_.code != errc::ok) return failure_;
  return wait_.arrived() != nullptr ? wait_.arrived()->outcome : error(errc::no_reply);
}

}  // namespace troupe::detail
