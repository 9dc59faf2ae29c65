#include <troupe/detail/actor_core.hpp>

#include <algorithm>
#include <utility>

#include <troupe/detail/checked.hpp>
#include <troupe/send.hpp>

#include "actor_steps.hpp"
#include "control.hpp"
#include "delivery.hpp"
#include "mailbox_steps.hpp"

namespace troupe::detail {

actor_core::actor_core(node_core& node, worker& home, std::uint32_t slot) noexcept
    : strand(&actor_core::run, home),
      node_(&node),
      slot_(slot),
      origin_(static_cast<std::uint8_t>(home.index())) {}

actor_core::~actor_core() = default;

// Any thread.

static bool goes_express(const letter& l) noexcept {
  if (l.kind == letter_kind::control) return true;
  return l.kind != letter_kind::receipt && static_cast<const envelope&>(l).type->lane == priority::high;
}

/// Nothing overtakes what this worker's run has sent by then, to whatever actor: not a DOWN, nor a reply.
void actor_core::push(letter& l) noexcept {
  if (worker_state* const here = node_->here()) here->out.end();
  put_in(l);
}

inline void actor_core::put_in(letter& l) noexcept {
  if (intake_.push(l, goes_express(l))) home().post(*this);
}

void actor_core::push(letter& latest, letter& oldest, std::uint32_t count) noexcept {
  box_.enter(count);
  if (intake_.push(latest, oldest)) home().post(*this);
}

/// Of bytes, in all its mailboxes together.
bool actor_core::node_is_full() const noexcept {
  return node_->budget().spent() && !mutated(mutant::deaf_budget);
}

errc actor_core::reserve(std::uint32_t meant, priority p) noexcept {
  if (generation() != meant) return errc::no_such_actor;
  if (stopping()) return errc::stopped;
  const bool here = at_home();
  if (here && !intake_.empty()) drain();
  return box_.reserve(p, here, node_is_full());
}

bool actor_core::has_room_for(std::uint32_t meant, std::uint32_t messages) noexcept {
  return generation() == meant && !stopping() && box_.has_room_for(messages, node_is_full());
}

void actor_core::accept(std::uint32_t meant, envelope& e) noexcept {
  node_->count(entry::accepted_local);
  e.generation = meant;
  e.charged = charge::inlet;
  node_->hold(e.weight);
}

errc actor_core::try_push(std::uint32_t meant, envelope* e) noexcept {
  const bool here = at_home();
  if (!here) {
    worker_state* const sender = node_->here();
    if (sender != nullptr && sender->takes_by_burst(*this, meant, *e)) return errc::ok;
  }
  const errc room = reserve(meant, e->type->lane);
  if (room == errc::ok) here ? commit_at_home(meant, e) : commit_from_elsewhere(meant, e);
  return room;
}

/// How far a request is: its place in the queue.
static inline void note_place(envelope& e, const mailbox_lane& l) noexcept {
  if (e.answer == nullptr) return;
  e.answer->stage.store(static_cast<std::int32_t>(l.depth()), std::memory_order_relaxed);
}

/// It is accepted, and has room in a mailbox that is plain, or counts against nothing there.
[[gnu::always_inline]] inline void actor_core::append_plain(envelope& e, worker& here, worker_state& state,
                                                            instant now) noexcept {
  state.held.add(e.weight);  // more: nobody is told of room
  e.queued_at = coarse_stamp(now);
  box_.add_plain(e);
  note_place(e, box_.lane_of(priority::normal));
  if (receiver_ != nullptr && !receiver_->full()) wake(here);
}

[[gnu::noinline]] bool actor_core::goes_ahead(const worker& here, const worker_state& state) const noexcept {
  return state.ahead.has(*here.running, *this);
}

// The way of nearly every message: no call, and each word is read once.
inline send_try actor_core::push_here(std::uint32_t meant, envelope* e) noexcept {
  worker* const here = current_worker;
  if (!lives_on.is(here) || generation() != meant || !plain_ || intake_.has_come() || !here->knows_time())
    return send_try::unknown;
  auto& state = *static_cast<worker_state*>(here->owner);
  const bool spent = state.held.spent() && !mutated(mutant::deaf_budget);
  const bool others_wait = box_.has_plain_waiters();
  if (mutated(mutant::drop_message) || mutated(mutant::swallow) || !box_.has_plain_room(spent) ||
      (others_wait && !goes_ahead(*here, state))) {
    const bool must_wait = others_wait && here->running != this;
    return must_wait ? send_try::must_wait : send_try::unknown;
  }
  if (others_wait) state.ahead.use();
  e->generation = meant;
  e->charged = charge::queue;
  state.count.add(entry::accepted_local);
  append_plain(*e, *here, state, here->known_time());
  return send_try::done;
}

send_try push_here(actor_core& to, std::uint32_t generation, envelope* e) noexcept {
  return to.push_here(generation, e);
}

void actor_core::prepare(const mailbox_limits& limits, const protocol_info& accepts, std::uint64_t number,
                         bool restarts_when_it_fails) noexcept {
  birth_number_ = number;
  restartable_ = restarts_when_it_fails;
  upkeep_ = upkeep::up;
  tenancy_.begin(accepts);
  box_.open(limits, accepts.prioritized);
  closed_.store(false, std::memory_order_relaxed);
}

void actor_core::unreserve(priority p) noexcept {
  if (!at_home()) box_.unreserve(p);
}

inline void actor_core::commit_at_home(std::uint32_t meant, envelope* e) noexcept {
  state().count.add(entry::accepted_local);
  e->generation = meant;
  if (!e->type->owns_nothing) weigh(*e);
  e->charged = charge::queue;
  append(e);
}

void actor_core::commit(std::uint32_t meant, envelope* e) noexcept {
  if (at_home()) return commit_at_home(meant, e);
  if (worker_state* const here = node_->here()) here->out.end();
  commit_from_elsewhere(meant, e);
}

void actor_core::commit_from_elsewhere(std::uint32_t meant, envelope* e) noexcept {
  node_->count(entry::accepted_local);
  e->generation = meant;
  if (!e->type->owns_nothing) weigh(*e);
  if (!box_.enter(*e, node_is_full())) return drop(*node_, e, errc::shed, address::of(this, slot_, meant));
  node_->hold(e->weight);  // from here on, however long the home worker is busy
  put_in(*e);
}

void actor_core::park(std::uint32_t meant, envelope* e) noexcept {
  e->generation = meant;
  e->kind = letter_kind::waiting;
  weigh(*e);
  box_.park(*e);
  if (at_home()) {
    sort_in(e);
  } else {
    push(*e);
  }
}

void actor_core::park_here(std::uint32_t meant, envelope* e, waiting_send& sender) noexcept {
  e->generation = meant;
  e->kind = letter_kind::waiting_here;
  e->sender = &sender;
  if (generation() != meant) return refuse_waiting(e, errc::no_such_actor);
  if (stopping()) return refuse_waiting(e, errc::stopped);
  box_.park(*e);
  may_move = false;
  if (!crowded_) crowded_ = state().waiting_here.add(self());
  mailbox_lane& lane = box_.lane_of(*e);
  const bool first = lane.waiting.head == nullptr;
  lane.waiting.push(e);
  if (first && box_.has_room(lane, false)) admit_waiting(lane);
}

void actor_core::withdraw(envelope& waiting) noexcept {
  const envelope* const found = box_.extract_waiting([&](const envelope& e) { return &e == &waiting; });
  TROUPE_ASSERT(found == &waiting, "what its sender gives up still waits");
  box_.unpark(waiting);
  finish(&waiting);
}

void actor_core::deliver(std::uint32_t meant, envelope* e) noexcept {
  e->generation = meant;
  worker* const here = current_worker;
  if (!lives_on.is(here)) return push(*e);
  const bool changes =
      mutated(mutant::drop_message) || mutated(mutant::swallow) || mutated(mutant::early_credit);
  if (generation() == meant && plain_ && !intake_.has_come() && !changes)
    return append_plain(*e, *here, state(*here), here->turn_time());
  drain();
  sort_in(e);
}

void actor_core::command(std::uint32_t meant, control* c) noexcept {
  c->generation = meant;
  push(*c);
}

// Home worker.

/// Everything that has come; in the order of each sender.
void actor_core::drain() noexcept {
  while (!look()) {
  }
}

/// False if nothing has come.
bool actor_core::drain_express() noexcept {
  return intake_.express([this](letter* l) { sort_in(l); });
}

/// What an actor still sees to when its coroutine has gone.
static bool concerns_family(order what) noexcept {
  return what == order::adopt || what == order::reap || what == order::lost;
}

void actor_core::sort_in(letter* l) noexcept {
  const bool family_matter =
      l->kind == letter_kind::control && concerns_family(static_cast<control*>(l)->what);
  if (l->generation != generation() && !family_matter) return dispose(l);
  switch (l->kind) {
    case letter_kind::message: {
      append(static_cast<envelope*>(l));
      break;
    }
    case letter_kind::waiting: {
      auto* const e = static_cast<envelope*>(l);
      mailbox_lane& lane = box_.lane_of(*e);
      if (stopping()) {
        turn_away(e, errc::stopped);
      } else {
        lane.waiting.push(e);
        admit_waiting(lane);
      }
      break;
    }
    case letter_kind::waiting_here: TROUPE_ASSERT(false, "it is never on its way"); break;
    case letter_kind::receipt: complete(static_cast<receipt*>(l)); break;
    case letter_kind::control:
      controls_.push(l);
      plain_ = false;
      wake();
      break;
  }
}

/// A letter that came too late for its actor.
void actor_core::dispose(letter* l) noexcept {
  switch (l->kind) {
    case letter_kind::message: {
      auto* const e = static_cast<envelope*>(l);
      leave_inlet(*e);
      drop(*node_, e, errc::no_such_actor, address::of(this, slot_, l->generation));
      break;
    }
    case letter_kind::waiting: turn_away(static_cast<envelope*>(l), errc::no_such_actor); break;
    case letter_kind::waiting_here: TROUPE_ASSERT(false, "it is never on its way"); break;
    case letter_kind::receipt:
      if (static_cast<receipt*>(l)->has_value) node_->count(entry::replies_lost);
      destroy(static_cast<receipt*>(l));
      break;
    case letter_kind::control: refuse(*this, static_cast<control*>(l)); break;
  }
}

void actor_core::leave_inlet(envelope& e) noexcept {
  if (e.charged != charge::inlet) return;
  box_.leave_inlet(e);
  hold(-std::int64_t{e.weight});
}

inline void actor_core::append(envelope* e) noexcept {
  if (stopping()) {
    leave_inlet(*e);
    return drop(*node_, e, errc::stopped, self());
  }
  if (mutated(mutant::drop_message) && home().world().random() % 50 == 0) {
    leave_inlet(*e);
    if (e->answer != nullptr) return discard(e, errc::no_reply);
    return finish(e);
  }
  if (mutated(mutant::swallow) && e->answer == nullptr && home().world().random() % 50 == 0) {
    leave_inlet(*e);
    if (e->by_link) state().return_credit(*e->credit());
    node_->count(entry::taken);
    return finish(e);
  }
  if (!box_.waits() && !shed_for(*e)) return;
  e->queued_at = coarse_stamp(home().turn_time());
  if (e->charged != charge::inlet) hold(e->weight);
  box_.add(*e);
  if (mutated(mutant::early_credit) && e->by_link) {
    state().return_credit(*e->credit());
    e->by_link = false;
  }
  note_place(*e, box_.lane_of(*e));
  if (receiver_ != nullptr && !receiver_->full()) wake();
}

void actor_core::turn_away(envelope* waiting, errc why) noexcept {
  box_.unpark(*waiting);
  refuse_waiting(waiting, why);
}

/// Makes room for it; false: it had to go itself.
bool actor_core::shed_for(envelope& e) noexcept {
  bool spent = node_is_full();  // one goes for the node's sake, as many as it takes for the mailbox's
  while (envelope* const too_many = box_.to_shed_for(e, std::exchange(spent, false))) {
    if (too_many == &e) {
      leave_inlet(e);
    } else {
      hold(-std::int64_t{too_many->weight});
    }
    drop(*node_, too_many, box_.rejects() ? errc::mailbox_full : errc::shed, self());
    if (too_many == &e) return false;
  }
  return true;
}

/// Moves a waiting message into the queue, or frees it if its sender has given it up.
void actor_core::admit(envelope* e) noexcept {
  box_.unpark(*e);
  if (!e->answer->state.settle()) {  // against awaiting_receipt::abandon
    destroy(std::exchange(e->answer, nullptr));
    return finish(e);
  }
  e->kind = letter_kind::message;
  e->charged = charge::queue;
  node_->count(entry::accepted_local);
  if (!e->type->is_request) send_home(std::exchange(e->answer, nullptr));
  append(e);
}

/// The same of a neighbour's, which goes on in its next run.
inline void actor_core::admit_neighbours(envelope* e) noexcept {
  worker& here = home();
  box_.unpark(*e);
  e->sender->end(errc::ok);
  e->answer = nullptr;
  e->kind = letter_kind::message;
  e->charged = charge::queue;
  state(here).count.add(entry::accepted_local);
  if (plain_ && !mutated(mutant::drop_message) && !mutated(mutant::swallow)) {
    append_plain(*e, here, state(here), here.turn_time());
  } else {
    append(e);
  }
}

void actor_core::admit_waiting() noexcept {
  if (!box_.has_waiters()) return;
  box_.each_lane([this](mailbox_lane& l) { admit_waiting(l); });
}

void actor_core::admit_waiting(mailbox_lane& l, std::uint32_t most) noexcept {
  for (; most != 0 && l.waiting.head != nullptr && box_.has_room(l, false); --most) {
    if (l.depth() != 0 && node_is_full()) return note_starved();
    envelope* const e = box_.pop_waiting(l);
    e->kind == letter_kind::waiting_here ? admit_neighbours(e) : admit(e);
  }
}

/// While more is being taken: what waits is let in when half the mailbox is empty, and not one by one. Neighbours have a head
/// start then, and only as many are let in as there is room for with that.
void actor_core::admit_in_batches() noexcept {
  box_.each_lane([this](mailbox_lane& l) {
    if (l.waiting.head == nullptr || !box_.half_empty(l)) return;
    if (!plain_ || !box_.only_neighbours_wait(l)) return admit_waiting(l);
    const std::uint32_t room = box_.limit() - l.depth();
    admit_waiting(l, std::max(room / (1 + head_start::messages), 1u));
  });
}

/// What waits here may wait for the node's room alone: then no message taken here lets it in.
void actor_core::note_starved() noexcept {
  may_move = false;  // its worker knows of it
  if (!std::exchange(starved_, true)) state().starved.push_back(self());
}

void actor_core::forget_starved() noexcept {
  if (std::exchange(starved_, false)) std::erase(state().starved, self());
}

void actor_core::node_has_room() noexcept {
  starved_ = false;
  admit_waiting();
}

void actor_core::put_back(envelope* e) noexcept {
  state().count.add(entry::taken, std::uint64_t{0} - 1);
  --messages_out_;
  hold(e->weight);
  e->by_link = false;  // its credit was given back when it was taken
  box_.put_back(*e);
}

/// Queued, or being handled.
bool actor_core::has_requests() const noexcept {
  return has_mail() || (receiver_ != nullptr && receiver_->handlers != nullptr);
}

bool actor_core::has_mail() const noexcept { return !intake_.empty() || !box_.empty() || box_.has_waiters(); }

void actor_core::complete(receipt* r) noexcept {
  if (operation* const waiting = find(r->ticket)) {
    static_cast<awaiting_receipt*>(waiting)->arrive(r);
    waiting->complete();
    return;
  }
  if (r->has_value) node_->count(entry::replies_lost);
  destroy(r);
}

std::uint64_t actor_core::walk() const noexcept {
  std::uint64_t found = 0;
  box_.each_lane([&](const mailbox_lane& lane) {
    for (const letter* l = lane.messages.head; l != nullptr; l = l->next) ++found;
  });
  intake_.each([&found](const letter& l) { found += l.kind == letter_kind::message ? 1 : 0; });
  return found;
}

}  // namespace troupe::detail
