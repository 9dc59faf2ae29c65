#include <troupe/detail/actor_core.hpp>

#include <utility>

#include "control.hpp"
#include "delivery.hpp"
#include "node_core.hpp"

namespace troupe::detail {

actor_core::actor_core(node_core& node, worker& home, std::uint32_t slot) noexcept
    : strand(&actor_core::run, home), node_(&node), slot_(slot) {}

actor_core::~actor_core() = default;

receiver::~receiver() {
  if (owner() != nullptr) static_cast<actor_core*>(owner())->stop_receiving(*this);
}

// Any thread.

void actor_core::push(letter& l) noexcept {
  letter* head = inlet_.load(std::memory_order_relaxed);
  do {
    l.next = head;
  } while (!inlet_.compare_exchange_weak(head, &l, std::memory_order_release,  // to the exchange in drain()
                                         std::memory_order_relaxed));
  if (head == nullptr) home().post(*this);
}

bool actor_core::has_room() const noexcept {
  return depth_.load(std::memory_order_relaxed) + inlet_messages_.load(std::memory_order_relaxed) <
         limit_.load(std::memory_order_relaxed);
}

errc actor_core::reserve(std::uint32_t meant) noexcept {
  if (generation() != meant) return errc::no_such_actor;
  if (stopping()) return errc::stopped;
  if (at_home() && inlet_.load(std::memory_order_relaxed) != nullptr) drain();
  if (waiters_.load(std::memory_order_relaxed) != 0) return errc::full;
  if (at_home()) return has_room() ? errc::ok : errc::full;
  const std::uint32_t before = inlet_messages_.fetch_add(1, std::memory_order_relaxed);
  if (before + depth_.load(std::memory_order_relaxed) < limit_.load(std::memory_order_relaxed))
    return errc::ok;
  unreserve();
  return errc::full;
}

void actor_core::prepare(std::uint32_t mailbox, const protocol_info& accepts, std::uint64_t number) noexcept {
  birth_number_ = number;
  accepts_.store(&accepts, std::memory_order_release);
  limit_.store(mailbox, std::memory_order_relaxed);
  closed_.store(false, std::memory_order_relaxed);
}

void actor_core::unreserve() noexcept {
  if (!at_home()) inlet_messages_.fetch_sub(1, std::memory_order_relaxed);
}

void actor_core::commit(std::uint32_t meant, envelope* e) noexcept {
  node_->count(entry::accepted_local);
  e->generation = meant;
  if (at_home()) return append(e, charge::local);
  e->charged = charge::inlet;
  push(*e);
}

void actor_core::park(std::uint32_t meant, envelope* e) noexcept {
  e->generation = meant;
  e->kind = letter_kind::waiting;
  waiters_.fetch_add(1, std::memory_order_relaxed);
  if (at_home()) {
    sort_in(e);
  } else {
    push(*e);
  }
}

void actor_core::deliver(std::uint32_t meant, envelope* e) noexcept {
  e->generation = meant;
  if (!at_home()) return push(*e);
  if (inlet_.load(std::memory_order_relaxed) != nullptr) drain();
  sort_in(e);
}

void actor_core::command(std::uint32_t meant, control* c) noexcept {
  c->generation = meant;
  push(*c);
}

// Home worker.

void actor_core::run(runnable& self, worker& on) noexcept {
  auto& core = static_cast<actor_core&>(self);
  strand* const outer = std::exchange(on.running, &core);
  core.drain();
  core.obey();
  if (core.phase_ == phase::starting && !core.finished_) {
    core.phase_ = phase::running;
    on.resume(core.frame_);
  }
  if (core.phase_ == phase::running && !core.finished_) {
    core.resume_ready(messages_per_run);
    core.take_messages();
    if (core.has_ready() || core.controls_.head != nullptr) on.schedule(core);
  }
  on.running = outer;
  // Last, for the slot may be somebody else's as soon as the actor has ended.
  if (core.finished_) core.end(core.how_);
}

void actor_core::drain() noexcept {
  letter* chain = inlet_.exchange(nullptr, std::memory_order_acquire);  // from the CAS in push()
  letter* in_order = nullptr;
  while (chain != nullptr) {
    letter* const earlier = chain->next;
    chain->next = in_order;
    in_order = chain;
    chain = earlier;
  }
  while (in_order != nullptr) {
    letter* const l = in_order;
    in_order = l->next;
    sort_in(l);
  }
}

void actor_core::sort_in(letter* l) noexcept {
  const bool family_matter =
      l->kind == letter_kind::control &&
      (static_cast<control*>(l)->what == order::adopt || static_cast<control*>(l)->what == order::reap);
  if (l->generation != generation() && !family_matter) return dispose(l);
  switch (l->kind) {
    case letter_kind::message: {
      auto* const e = static_cast<envelope*>(l);
      append(e, e->charged);
      break;
    }
    case letter_kind::waiting: {
      auto* const e = static_cast<envelope*>(l);
      if (stopping()) {
        turn_away(e, errc::stopped);
      } else if (waiting_.head == nullptr && has_room()) {
        admit(e);
      } else {
        waiting_.push(e);
      }
      break;
    }
    case letter_kind::receipt: complete(static_cast<receipt*>(l)); break;
    case letter_kind::control:
      controls_.push(l);
      home().schedule(*this);
      break;
  }
}

/// A letter that came too late for its actor.
void actor_core::dispose(letter* l) noexcept {
  switch (l->kind) {
    case letter_kind::message: {
      auto* const e = static_cast<envelope*>(l);
      if (e->charged == charge::inlet) inlet_messages_.fetch_sub(1, std::memory_order_relaxed);
      drop(*node_, e, errc::no_such_actor, address::of(this, slot_, l->generation));
      break;
    }
    case letter_kind::waiting: turn_away(static_cast<envelope*>(l), errc::no_such_actor); break;
    case letter_kind::receipt:
      if (static_cast<receipt*>(l)->has_value) node_->count(entry::replies_lost);
      destroy(static_cast<receipt*>(l));
      break;
    case letter_kind::control: refuse(*this, static_cast<control*>(l)); break;
  }
}

void actor_core::append(envelope* e, charge how) noexcept {
  if (stopping()) {
    if (how == charge::inlet) inlet_messages_.fetch_sub(1, std::memory_order_relaxed);
    return drop(*node_, e, errc::stopped, self());
  }
#ifdef TROUPE_MUTANT_DROP_MESSAGE
  static std::atomic<unsigned> appended{0};
  if (appended.fetch_add(1) % 50 == 49) {
    if (how == charge::inlet) inlet_messages_.fetch_sub(1, std::memory_order_relaxed);
    if (e->answer != nullptr) return discard(e, errc::no_reply);
    return finish(e);
  }
#endif
  e->charged = how;
  if (how == charge::local) {
    depth_.store(depth_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  messages_.push(e);
  if (receiver_ != nullptr && !receiver_busy_) home().schedule(*this);
}

void actor_core::turn_away(envelope* waiting, errc why) noexcept {
  waiters_.fetch_sub(1, std::memory_order_relaxed);
  discard(waiting, why);
}

/// Moves a waiting message into the queue, or frees it if its sender has given it up.
void actor_core::admit(envelope* e) noexcept {
  waiters_.fetch_sub(1, std::memory_order_relaxed);
  auto expected = receipt_state::open;
  // Against awaiting_receipt::abandon; acq_rel: the winner sees what the loser did before.
  if (!e->answer->state.compare_exchange_strong(expected, receipt_state::settled,
                                                std::memory_order_acq_rel)) {
    destroy(std::exchange(e->answer, nullptr));
    return finish(e);
  }
  e->kind = letter_kind::message;
  node_->count(entry::accepted_local);
  if (!e->is_request) send_home(std::exchange(e->answer, nullptr));
  append(e, charge::local);
}

void actor_core::admit_waiting() noexcept {
  if (waiting_.head == nullptr) return;
  const std::uint32_t limit = limit_.load(std::memory_order_relaxed);
  if (depth_.load(std::memory_order_relaxed) > limit / 2) return;
  while (waiting_.head != nullptr && has_room()) admit(static_cast<envelope*>(waiting_.pop()));
}

envelope* actor_core::pop() noexcept {
  auto* const e = static_cast<envelope*>(messages_.pop());
  if (e == nullptr) return nullptr;
  if (e->charged == charge::local) {
    depth_.store(depth_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  } else if (e->charged == charge::inlet) {
    inlet_messages_.fetch_sub(1, std::memory_order_relaxed);
  }
  return e;
}

/// A request past its deadline, or one whose asker has given it up: this worker's clock stands still during a turn.
bool actor_core::too_late(const envelope& e) const noexcept {
  if (e.deadline == instant{}) return false;
  return e.deadline <= home().now() ||
         e.answer->state.load(std::memory_order_acquire) == receipt_state::cancelled;
}

void actor_core::take_messages() noexcept {
  unsigned budget = messages_per_run;
  while (receiver_ != nullptr && !receiver_busy_ && budget-- != 0) {
    envelope* const e = pop();
    if (e == nullptr) break;
    if (waiting_.head != nullptr) admit_waiting();
    if (too_late(*e)) {
      drop(*node_, e, errc::expired, self());
      continue;
    }
    node_->count(entry::taken);
    if (e->credit.from != nullptr) node_->here()->return_credit(e->credit);
    switch (receiver_->take(*receiver_, e)) {
      case receiver::step::again: break;
      case receiver::step::busy: receiver_busy_ = true; break;
      case receiver::step::done: end_receive(false); break;
    }
    if (stopping() && receiver_ != nullptr && !receiver_busy_) end_receive(true);
  }
  if (receiver_ != nullptr && !receiver_busy_ && messages_.head != nullptr) home().schedule(*this);
}

void actor_core::start_receiving(receiver& r) noexcept {
  TROUPE_ASSERT(receiver_ == nullptr, "an actor has one receive or serve at a time");
  receiver_ = &r;
  receiver_busy_ = false;
  if (stopping()) return end_receive(true);
  if (messages_.head != nullptr) home().schedule(*this);
}

void actor_core::stop_receiving(receiver& r) noexcept {
  if (receiver_ == &r) receiver_ = nullptr;
}

void actor_core::resume_receiving(receiver& r, receiver::step how) noexcept {
  TROUPE_ASSERT(receiver_ == &r && receiver_busy_, "only the running handler goes on");
  receiver_busy_ = false;
  if (how == receiver::step::done) return end_receive(false);
  if (stopping()) return end_receive(true);
  home().schedule(*this);
}

void actor_core::end_receive(bool stop_seen) noexcept {
  receiver& r = *std::exchange(receiver_, nullptr);
  r.stop_seen = stop_seen;
  r.complete();
}

void actor_core::complete(receipt* r) noexcept {
  if (operation* const waiting = find(r->ticket)) {
    static_cast<awaiting_receipt*>(waiting)->arrive(r);
    waiting->complete();
    return;
  }
  if (r->has_value) node_->count(entry::replies_lost);
  destroy(r);
}

void actor_core::finished(exit_kind how, std::string text) noexcept {
  finished_ = true;
  how_ = how;
  if (!text.empty()) ties().exit_text = std::move(text);
}

std::uint64_t actor_core::walk() const noexcept {
  std::uint64_t found = 0;
  for (const letter* l = messages_.head; l != nullptr; l = l->next) ++found;
  for (const letter* l = inlet_.load(std::memory_order_acquire); l != nullptr; l = l->next) {
    found += l->kind == letter_kind::message ? 1 : 0;
  }
  return found;
}

}  // namespace troupe::detail
