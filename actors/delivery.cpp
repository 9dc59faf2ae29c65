// send, try_send and ask: from the caller to the target's mailbox, or to the link to its node.
#include <memory>
#include <utility>

#include <troupe/ask.hpp>
#include <troupe/ref.hpp>
#include <troupe/send.hpp>

#include "delivery.hpp"
#include "node_core.hpp"
#include "peers.hpp"

namespace troupe::detail {

// try_send.

error reserve(const address& to, const value_type& type) noexcept {
  if (!to) return errc::no_such_actor;
  const errc answer = to.is_remote() ? reserve_peer(to, type) : to.core()->reserve(to.generation);
  if (answer != errc::ok) count_refused(to);
  return answer;
}

void unreserve(const address& to) noexcept {
  if (to.is_remote()) {
    unreserve_peer(to);
  } else {
    to.core()->unreserve();
  }
}

error commit(const address& to, envelope* e) noexcept {
  if (to.is_remote()) return commit_peer(to, e);
  to.core()->commit(to.generation, e);
  return errc::ok;
}

// What waits.

awaiting_receipt::~awaiting_receipt() {
  abandon();
  if (arrived_ != nullptr) destroy(arrived_);
}

void awaiting_receipt::expect(receipt* r) noexcept {
  actor_core& waiter = *static_cast<actor_core*>(owner());
  r->to = &waiter;
  r->generation = waiter.generation();
  r->ticket = ticket();
  outstanding_ = r;
}

void awaiting_receipt::arrive(receipt* r) noexcept {
  outstanding_ = nullptr;
  arrived_ = r;
}

bool awaiting_receipt::abandon() noexcept {
  receipt* const r = std::exchange(outstanding_, nullptr);
  if (r == nullptr) return false;
  auto expected = receipt_state::open;
  // Against actor_core::admit. Until it has arrived the receipt lives: it is freed by this actor's own home
  // worker, when it comes back, or by the target, which then finds it cancelled.
  return r->state.compare_exchange_strong(expected, receipt_state::cancelled, std::memory_order_acq_rel);
}

}  // namespace troupe::detail

namespace troupe {

using namespace detail;

// co_await ref.send<M>(...)

send_operation::~send_operation() {
  TROUPE_ASSERT(awaited_, "a send was made and not awaited: write co_await ref.send<M>(...)");
  if (envelope_ != nullptr) finish(envelope_);
  destroy(link_wait_);
}

bool send_operation::settle(error outcome) noexcept {
  outcome_ = outcome;
  return true;
}

bool send_operation::await_ready() noexcept {
  awaited_ = true;
  if (!to_) return settle(errc::no_such_actor);
  if (to_.is_remote()) {
    const send_outcome how = send_to_peer(to_, *envelope_);
    if (how == send_outcome::no_credit || how == send_outcome::blocked) return false;
    return settle(to_error(how, *envelope_));
  }
  const errc room = to_.core()->reserve(to_.generation);
  if (room == errc::full && current_worker->running != to_.core())
    return false;  // a send to oneself never waits
  if (room == errc::ok) to_.core()->commit(to_.generation, std::exchange(envelope_, nullptr));
  return settle(room);
}

void send_operation::await_suspend(std::coroutine_handle<> sender) {
  wait_.suspend(sender);
  if (to_.is_remote()) {
    link_wait_ = wait_for_peer(to_, *envelope_, wait_);
    return;
  }
  envelope* const e = std::exchange(envelope_, nullptr);
  e->answer = make_receipt(nullptr);
  wait_.expect(e->answer);
  to_.core()->park(to_.generation, e);
}

result<void> send_operation::await_resume() noexcept {
  if (const receipt* const r = wait_.arrived()) outcome_ = r->outcome;
  if (link_wait_ != nullptr) outcome_ = outcome_of(*link_wait_);
  if (outcome_.code == errc::ok) return {};
  count_refused(to_);
  return outcome_;
}

bool send_operation::give_up() noexcept {
  return link_wait_ != nullptr ? still_waits(*link_wait_) : wait_.abandon();
}

}  // namespace troupe

namespace troupe::detail {

// co_await ref.ask<M>(...)

ask_base::ask_base(const address& to, envelope* e) noexcept : to_(to), envelope_(e), timer_(*this) {}

ask_base::~ask_base() {
  TROUPE_ASSERT(awaited_, "an ask was made and not awaited: write co_await ref.ask<M>(...)");
  forget_link_ask();
  free_unsent(envelope_);
}

bool ask_base::fail(error why) noexcept {
  failure_ = why;
  count_refused(to_);
  return false;
}

bool ask_base::await_suspend(std::coroutine_handle<> asker) {
  awaited_ = true;
  if (!to_) return fail(errc::no_such_actor);
  wait_.suspend(asker);
  actor_core& me = *static_cast<actor_core*>(wait_.owner());
  const instant deadline = me.home().now() + within_.value_or(me.node().options().ask_deadline);
  envelope_->deadline = deadline;
  me.home().timers().arm(timer_, deadline);
  if (to_.is_remote()) {
    submit_to_link();
    return true;
  }
  const errc room = to_.core()->reserve(to_.generation);
  if (room != errc::ok && (room != errc::full || &me == to_.core())) {
    failure_ = room;
    count_refused(to_);
    wait_.complete();
    return true;
  }
  envelope* const e = std::exchange(envelope_, nullptr);
  wait_.expect(e->answer);
  parked_ = room == errc::full;
  if (parked_) {
    to_.core()->park(to_.generation, e);
  } else {
    to_.core()->commit(to_.generation, e);
  }
  return true;
}

void ask_base::on_deadline() noexcept {
  if (wait_.arrived() != nullptr || failure_.code != errc::ok) return;  // ready, and not yet resumed
  const bool still_waiting = link_wait_ != nullptr || wait_.abandon();
  failure_ = still_waiting && (parked_ || link_wait_ != nullptr) ? errc::mailbox_full : errc::expired;
  forget_link_ask();
  wait_.complete();
}

error ask_base::failure() const noexcept {
  if (failure_.code != errc::ok) return failure_;
  return wait_.arrived() != nullptr ? wait_.arrived()->outcome : error(errc::no_reply);
}

}  // namespace troupe::detail
