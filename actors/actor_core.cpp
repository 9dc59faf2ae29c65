#include <troupe/detail/actor_core.hpp>

#include <utility>

#include <troupe/detail/checked.hpp>

#include "control.hpp"
#include "delivery.hpp"
#include "node_core.hpp"

namespace troupe::detail {

actor_core::actor_core(node_core& node, worker& home, std::uint32_t slot) noexcept
    : strand(&actor_core::run, home), node_(&node), slot_(slot) {}

actor_core::~actor_core() = default;

// Any thread.

static bool goes_express(const letter& l) noexcept {
  if (l.kind == letter_kind::control) return true;
  return l.kind != letter_kind::receipt && static_cast<const envelope&>(l).type->lane == priority::high;
}

void actor_core::push(letter& l) noexcept {
  if (intake_.push(l, goes_express(l))) home().post(*this);
}

/// Of bytes, in all its mailboxes together.
bool actor_core::node_is_full() const noexcept {
  return node_->budget().spent() && !mutated(mutant::deaf_budget);
}

errc actor_core::reserve(std::uint32_t meant, priority p) noexcept {
  if (generation() != meant) return errc::no_such_actor;
  if (stopping()) return errc::stopped;
  if (at_home()) drain();
  return box_.reserve(p, at_home(), node_is_full());
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

void actor_core::commit(std::uint32_t meant, envelope* e) noexcept {
  node_->count(entry::accepted_local);
  e->generation = meant;
  weigh(*e);
  if (at_home()) {
    e->charged = charge::queue;
    return append(e);
  }
  if (!box_.enter(*e, node_is_full())) return drop(*node_, e, errc::shed, address::of(this, slot_, meant));
  node_->hold(e->weight);  // from here on, however long the home worker is busy
  push(*e);
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

void actor_core::deliver(std::uint32_t meant, envelope* e) noexcept {
  e->generation = meant;
  if (!at_home()) return push(*e);
  drain();
  sort_in(e);
}

void actor_core::command(std::uint32_t meant, control* c) noexcept {
  c->generation = meant;
  push(*c);
}

// Home worker.

void actor_core::run(runnable& self, worker& on) noexcept {
  auto& core = static_cast<actor_core&>(self);
  activity& shown = static_cast<worker_state*>(on.owner)->shown;
  shown.begin(core);
  core.node_->watch().run_begins();
  strand* const outer = std::exchange(on.running, &core);
  core.drain_express();
  core.obey();
  if (!core.finished_) core.look();
  if (core.phase_ == phase::starting && !core.finished_) {
    core.phase_ = phase::running;
    on.resumed_at.store({}, std::memory_order_relaxed);
    on.resume(core.frame_);
  }
  if (core.phase_ == phase::running && !core.finished_) {
    core.resume_ready(shown);
    core.take_messages(shown);
    if (core.has_ready() || core.controls_.head != nullptr) on.schedule(core);
  }
  if (core.intake_.has_unsorted()) on.schedule(core);
  on.running = outer;
  // Last, for the slot may be somebody else's as soon as the actor has ended.
  if (core.finished_) core.end(core.how_);
  shown.end();
}

void actor_core::resume_ready(const activity& shown) {
  for (unsigned left = messages_per_run; left != 0 && has_ready();
       left = shown.slice_is_used() ? 0 : left - 1)
    resume_next();
}

/// Everything that has come; in the order of each sender.
void actor_core::drain() noexcept {
  while (!look()) {
  }
}

/// The same, up to the moment when something comes by express: false, and it is sorted in, the rest is not.
bool actor_core::look() noexcept {
  return intake_.look([this](letter* l) { sort_in(l); }, mutated(mutant::reversed_inlet));
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
      leave_inlet(*e);
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

void actor_core::leave_inlet(envelope& e) noexcept {
  if (e.charged != charge::inlet) return;
  box_.leave_inlet(e);
  node_->hold(-std::int64_t{e.weight});
}

void actor_core::append(envelope* e) noexcept {
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
    if (e->credit.from != nullptr) node_->here()->return_credit(e->credit);
    node_->count(entry::taken);
    return finish(e);
  }
  bool spent = node_is_full();  // one goes for the node's sake, as many as it takes for the mailbox's
  while (envelope* const too_many = box_.to_shed_for(*e, std::exchange(spent, false))) {
    if (too_many == e) leave_inlet(*e);
    if (too_many != e) node_->hold(-std::int64_t{too_many->weight});
    drop(*node_, too_many, box_.rejects() ? errc::mailbox_full : errc::shed, self());
    if (too_many == e) return;
  }
  e->queued_at = coarse_stamp(home().turn_time());
  if (e->charged != charge::inlet) node_->hold(e->weight);
  box_.add(*e);
  if (mutated(mutant::early_credit) && e->credit.from != nullptr)
    node_->here()->return_credit(std::exchange(e->credit, {}));
  if (e->answer != nullptr) {
    const std::uint32_t place = box_.lane_of(*e).depth();
    e->answer->stage.store(static_cast<std::int32_t>(place), std::memory_order_relaxed);
  }
  if (receiver_ != nullptr && !receiver_->full()) home().schedule(*this);
}

void actor_core::turn_away(envelope* waiting, errc why) noexcept {
  box_.unpark(*waiting);
  discard(waiting, why);
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

void actor_core::admit_waiting() noexcept {
  if (box_.waiters() == 0) return;
  box_.each_lane([this](mailbox_lane& l) { admit_waiting(l); });
}

void actor_core::admit_waiting(mailbox_lane& l) noexcept {
  while (l.waiting.head != nullptr) {
    const bool spent = node_is_full();
    if (!box_.has_room(l, spent)) return spent ? note_starved() : void();
    admit(static_cast<envelope*>(l.waiting.pop()));
  }
}

/// What waits here may wait for the node's room alone: then no message taken here lets it in.
void actor_core::note_starved() noexcept {
  if (!std::exchange(starved_, true)) node_->here()->starved.push_back(self());
}

void actor_core::forget_starved() noexcept {
  if (std::exchange(starved_, false)) std::erase(node_->here()->starved, self());
}

void actor_core::node_has_room() noexcept {
  starved_ = false;
  admit_waiting();
}

envelope* actor_core::take(const value_type* only) noexcept {
  envelope* const e = box_.take(only);
  if (e != nullptr) node_->hold(-std::int64_t{e->weight});
  return e;
}

void actor_core::put_back(envelope* e) noexcept {
  node_->count(entry::taken, std::uint64_t{0} - 1);
  if (messages_out_ != 0) --messages_out_;
  node_->hold(e->weight);
  e->credit = {};  // given back when it was taken
  box_.put_back(*e);
}

/// A request past its deadline, or one whose asker has given it up.
bool actor_core::too_late(const envelope& e) const noexcept {
  if (e.answer == nullptr || e.deadline == instant{}) return false;
  return e.answer->state.cancelled() || e.deadline <= home().now();
}

void actor_core::count_out() noexcept {
  if (++messages_out_ == 0) node_->here()->kinds.counts(kind_).messages += std::uint64_t{1} << 32;
}

/// While more is being taken: what waits is let in when half the mailbox is empty, and not one by one.
void actor_core::admit_in_batches() noexcept {
  box_.each_lane([this](mailbox_lane& l) {
    if (l.waiting.head != nullptr && box_.half_empty(l)) admit_waiting(l);
  });
}

void actor_core::take_messages(const activity& shown) noexcept {
  take_some(shown);
  if (finished_) return;
  const bool goes_on = receiver_ != nullptr && receiver_->only == nullptr && !receiver_->full();
  if (!goes_on) admit_waiting();  // nothing more may be taken for long
}

/// At least one, whatever the time.
void actor_core::take_some(const activity& shown) noexcept {
  if (receiver_ != nullptr) home().resumed_at.store(receiver_->at(), std::memory_order_relaxed);
  for (unsigned left = messages_per_run; left != 0; left = shown.slice_is_used() ? 0 : left - 1) {
    if (receiver_ == nullptr || receiver_->full() || stopping()) return;
    // What came meanwhile. Where nobody waits for room much may come at any time, and most of it is shed.
    if (left % messages_per_look == 0 || box_.drops()) look();
    drain_express();
    if (controls_.head != nullptr) break;  // to the next run, which begins with them
    envelope* const e = take(receiver_->only);
    if (e == nullptr) return;
    count_out();
    if (box_.waiters() != 0) admit_in_batches();
    if (too_late(*e)) {
      drop(*node_, e, errc::expired, self());
      continue;
    }
    node_->count(entry::taken);
    if (e->credit.from != nullptr) node_->here()->return_credit(e->credit);
    if (e->answer != nullptr) e->answer->stage.store(stage_running, std::memory_order_relaxed);
    receiver& r = *receiver_;
    work_deadline = e->deadline;
    r.took = r.taking = true;
    r.take(r, e);
    r.taking = false;
    work_deadline = {};
    go_on(r);
  }
  if (controls_.head != nullptr || (receiver_ != nullptr && !box_.empty())) home().schedule(*this);
}

/// After a message was handled: is the receiver to wait for more?
void actor_core::go_on(receiver& r) noexcept {
  if (r.over()) return end_receive(errc::ok);
  if (stopping() && r.running == 0) end_receive(errc::stopped);
}

void actor_core::start_receiving(receiver& r) noexcept {
  TROUPE_ASSERT(receiver_ == nullptr, "an actor has one receive or serve at a time");
  receiver_ = &r;
  box_.scan_from_the_front();
  if (stopping()) return end_receive(errc::stopped);
  if (!box_.empty()) home().schedule(*this);
}

void actor_core::stop_receiving(receiver& r) noexcept {
  if (receiver_ == &r) receiver_ = nullptr;
}

void actor_core::resume_receiving(receiver& r) noexcept {
  TROUPE_ASSERT(receiver_ == &r, "only the handlers of the receiver go on");
  go_on(r);
  if (receiver_ != nullptr) home().schedule(*this);
}

/// Somebody has given up what waits for room here, is queued or is being worked on.
void actor_core::cancel(const control& c) noexcept {
  const bool all_of_a_link = c.watch == 0;
  while (cancel_one(c) && all_of_a_link) {
  }
}

/// False if there is none.
bool actor_core::cancel_one(const control& c) noexcept {
  const auto meant = [&c](const envelope& e) {
    const receipt* const r = e.answer;
    if (r == nullptr || r->peer != c.peer) return false;
    if (c.watch == 0) return e.credit.link == c.session;
    if (r->ticket != c.watch) return false;
    return r->peer != nullptr || (r->to == c.subject && r->generation == c.subject_generation);
  };
  if (envelope* const e = box_.extract_waiting(meant)) {
    box_.unpark(*e);
    destroy(take_receipt(e));
    finish(e);
    return true;
  }
  if (envelope* const e = box_.extract(meant)) {
    node_->hold(-std::int64_t{e->weight});
    destroy(take_receipt(e));
    drop(*node_, e, errc::expired, self());
    admit_waiting();
    return true;
  }
  if (receiver_ == nullptr) return false;
  for (running_handler* h = receiver_->handlers; h != nullptr; h = h->next) {
    if (!meant(*h->message)) continue;
    receiver_->cancel_handler(*h);
    return true;
  }
  return false;
}

/// Queued, or being handled.
bool actor_core::has_requests() const noexcept {
  return has_mail() || (receiver_ != nullptr && receiver_->handlers != nullptr);
}

bool actor_core::has_mail() const noexcept {
  return !intake_.empty() || !box_.empty() || box_.waiters() != 0;
}

void actor_core::expire_receive(receiver& r) noexcept {
  if (receiver_ == &r && !r.took) end_receive(errc::expired);
}

void actor_core::end_receive(errc why) noexcept {
  receiver& r = *std::exchange(receiver_, nullptr);
  r.ended_by = why;
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
  if (std::exchange(finished_, true)) return;  // the first reason counts
  how_ = how;
  if (ties_ || !text.empty()) ties().exit_text = std::move(text);
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
