// A run of an actor: what it was ordered, its coroutines that can go on, the messages that its receiver takes.
#include <algorithm>
#include <utility>

#include "actor_steps.hpp"
#include "control.hpp"
#include "delivery.hpp"
#include "mailbox_steps.hpp"

namespace troupe::detail {

/// What comes before messages: orders, its birth too, what others have sent meanwhile, its first steps.
void actor_core::begin_run(worker& on) noexcept {
  if (!intake_.empty()) drain_express();
  obey();
  may_move = false;  // what it does from now on has to do with this worker: its timers, its links
  if (finished_) return;
  look();
  if (!plain_) note_plain();
  if (phase_ != phase::starting) return;
  if (mutated(mutant::forgetful_move) && on.index() != origin_) {
    while (envelope* const e = box_.take()) finish(e);
  }
  phase_ = phase::running;
  on.resumed_at.store({}, std::memory_order_relaxed);
  on.resume(frame_);
}

void actor_core::note_plain() noexcept {
  const bool lives = (phase_ == phase::starting || phase_ == phase::running) && !finished_;
  plain_ = lives && !stopping() && controls_.head == nullptr && !intake_.has_rest() && box_.is_plain();
}

/// A run that has used its time slice takes nothing more.
inline void actor_core::note_slice(const worker_state& state) noexcept {
  if (state.shown.slice_is_used()) run_ends = true;
}

/// A request past its deadline, or one whose asker has given it up.
inline bool actor_core::too_late(const envelope& e) const noexcept {
  if (e.deadline() == instant{}) return false;
  return e.answer->state.cancelled() || e.answer->deadline <= home().now();
}

/// False: it is too late, and `e` is gone.
inline bool actor_core::begin_request(envelope* e) noexcept {
  if (too_late(*e)) {
    drop(*node_, e, errc::expired, self());
    return false;
  }
  e->answer->stage.store(stage_running, std::memory_order_relaxed);
  home().work_deadline = e->answer->deadline;
  return true;
}

/// The next message, if nothing else is to be done for it: no call, and each word is read once.
[[gnu::always_inline]] inline envelope* actor_core::next_plain(worker_state& state) noexcept {
  if (!plain_ || intake_.has_come()) return nullptr;
  envelope* const e = box_.take_plain();
  if (e == nullptr) return nullptr;
  if (state.held.add(-std::int64_t{e->weight})) node_->tell_of_room();
  ++messages_out_;
  if (e->answer != nullptr && !begin_request(e)) return nullptr;
  state.count.add(entry::taken);
  if (e->by_link) state.return_credit(*e->credit());
  return e;
}

inline bool actor_core::has_nothing() const noexcept { return box_.empty() && intake_.empty(); }

/// The next message of type `only`, or of any; null: there is none, or orders come first. It is the caller's then, and in the
/// books as taken.
envelope* actor_core::next_message(const value_type* only, worker_state& state) noexcept {
  for (;;) {
    if (!intake_.empty()) {  // Where nobody waits for room much may come at any time, and most of it is shed.
      if (state.turns_left <= state.looks_at || box_.empty() || box_.drops()) {
        state.looks_at = std::max(state.turns_left, turns_per_look) - turns_per_look;
        look();
      }
      drain_express();
      if (controls_.head != nullptr) return nullptr;
    }
    envelope* const e = box_.take(only);
    if (e == nullptr) return nullptr;
    if (state.held.add(-std::int64_t{e->weight})) node_->tell_of_room();
    ++messages_out_;
    if (box_.has_waiters()) admit_in_batches();
    if (e->answer != nullptr && !begin_request(e)) {
      if (state.turns_left <= 1) {
        state.turns_left = 0;
        return nullptr;
      }
      --state.turns_left;
      continue;
    }
    state.count.add(entry::taken);
    if (e->by_link) state.return_credit(*e->credit());
    return e;
  }
}

/// After a message was handled: is the receiver to wait for more?
inline void actor_core::go_on(receiver& r) noexcept {
  if (r.over()) return end_receive(errc::ok);
  if (stopping() && r.running == 0) end_receive(errc::stopped);
}

/// A message to whoever waits for it.
[[gnu::always_inline]] inline void actor_core::give_message(envelope& e, receiver& r, worker& here,
                                                            worker_state& state) noexcept {
  here.resumed_at.store(r.at(), std::memory_order_relaxed);
  r.took = r.taking = true;
  r.passed_over = false;
  r.take(r, &e);
  r.taking = false;
  here.work_deadline = {};
  note_slice(state);
  if (state.turns_left != 0) --state.turns_left;
}

/// It is over, and its coroutine goes on in this run.
[[gnu::always_inline]] inline void actor_core::resume_receiver(receiver& r, worker& here,
                                                               worker_state& state) noexcept {
  --state.turns_left;
  receiver_ = nullptr;
  r.ended_by = errc::ok;
  resume(r, here);
  note_slice(state);
}

/// One message at least, unless its time is over: who goes on with a receive and no time to wait is to find what is there.
/// Whoever has waited for one message goes on with it at once, and may be back for the next.
[[gnu::always_inline]] inline void actor_core::take_messages(worker& here, worker_state& state) noexcept {
  if (run_ends) {
    again_ = receiver_ != nullptr && !receiver_->full() && (!box_.empty() || receiver_->overdue);
    return;
  }
  while (receiver_ != nullptr && !has_nothing()) {
    receiver& r = *receiver_;
    if (r.full() || stopping()) return;
    if (controls_.head != nullptr) break;  // to the next run, which begins with them
    envelope* e = r.only == nullptr ? next_plain(state) : nullptr;
    if (e == nullptr) e = next_message(r.only, state);
    if (e == nullptr) {
      again_ = !box_.empty() && (controls_.head != nullptr || state.turns_left == 0);
      if (!again_) expire_overdue();
      return;
    }
    give_message(*e, r, here, state);
    if (!r.over()) {
      go_on(r);
    } else if (state.turns_left == 0 || run_ends || controls_.head != nullptr || has_ready()) {
      end_receive(errc::ok);
    } else {
      resume_receiver(r, here, state);
      if (finished_) return;
    }
    if (state.turns_left == 0 || run_ends) break;
  }
  again_ = receiver_ != nullptr && !box_.empty();
  if (!again_) expire_overdue();
}

/// There is nothing for it.
inline void actor_core::expire_overdue() noexcept {
  if (receiver_ != nullptr && receiver_->overdue && !receiver_->took) end_receive(errc::expired);
}

/// The coroutines and messages of an actor to which nothing else is to be done, with a receiver that takes any: `plain_`
/// stands for nearly all that `work` asks, which goes on where this stops.
[[gnu::always_inline]] inline void actor_core::work_plainly(worker& here, worker_state& state) noexcept {
  do {
    if (has_ready()) {
      --state.turns_left;
      resume_next(here);
      note_slice(state);
      continue;
    }
    receiver* const r = receiver_;
    if (r == nullptr || r->only != nullptr || r->running != 0) return;
    envelope* const e = next_plain(state);
    if (e == nullptr) return;
    give_message(*e, *r, here, state);
    if (!r->over()) {
      if (!plain_) go_on(*r);
    } else if (!plain_ || state.turns_left == 0 || run_ends || has_ready()) {
      end_receive(errc::ok);
    } else {
      resume_receiver(*r, here, state);
    }
  } while (plain_ && state.turns_left != 0 && !run_ends);
}

/// False: the actor has finished.
bool actor_core::take_for_the_passed_over(worker& here, worker_state& state, std::uint64_t before) noexcept {
  if (receiver_ == nullptr) return true;
  const bool again = receiver_->passed_over;
  receiver_->passed_over = messages_out_ == before;
  if (!again || !receiver_->passed_over) return true;
  receiver_->passed_over = false;
  state.turns_left = 1;
  run_ends = false;
  take_messages(here, state);
  run_ends = true;
  return !finished_;
}

/// Coroutines go on and messages are taken, by turns, so long as there are any and the run's share lasts. A receiver that two
/// runs have left without a message, because a coroutine yielded, takes one.
[[gnu::always_inline]] inline void actor_core::work(worker& here, worker_state& state, std::uint64_t before) {
  note_slice(state);
  for (;;) {
    while (has_ready() && state.turns_left != 0 && !run_ends) {
      --state.turns_left;
      resume_next(here);
      if (finished_) return;
      note_slice(state);
    }
    take_messages(here, state);
    if (finished_) return;
    if (!has_ready() || state.turns_left == 0 || run_ends || controls_.head != nullptr) break;
  }
  if (again_) {
    if (!take_for_the_passed_over(here, state, before)) return;
  } else if (receiver_ != nullptr) {
    receiver_->passed_over = false;
  }
  const bool goes_on = receiver_ != nullptr && receiver_->only == nullptr && !receiver_->full();
  if (!goes_on) admit_waiting();  // nothing more may be taken for long
}

/// More than work_plainly has done.
inline bool actor_core::has_more_to_do() const noexcept {
  return !plain_ || phase_ == phase::starting || has_ready() || !box_.is_empty_plain() ||
         intake_.has_come() || box_.has_plain_waiters() || (receiver_ != nullptr && receiver_->overdue);
}

void actor_core::run(runnable& self, worker& on) noexcept {
  auto& core = static_cast<actor_core&>(self);
  worker_state& state = core.state(on);
  state.shown.begin(core);
  core.node_->watch().run_begins();
  strand* const outer = std::exchange(on.running, &core);
  core.again_ = core.run_ends = false;
  state.turns_left = state.looks_at = turns_per_run;
  const std::uint64_t before = core.messages_out_;
  if (core.plain_ && core.phase_ == phase::running && !core.intake_.has_come()) core.work_plainly(on, state);
  if (core.has_more_to_do()) {
    const bool is_plain = core.plain_ && core.phase_ == phase::running && !core.intake_.has_come();
    if (!is_plain && !core.finished_) core.begin_run(on);
    if (core.phase_ == phase::running && !core.finished_) core.work(on, state, before);
    on.running = outer;
    core.end_run(on, state);
  } else {
    on.running = outer;
  }
  state.out.end();
  state.shown.end();
}

/// It goes on in another run, or has ended: that comes last, for the slot may be somebody else's then; but not away from its
/// origin.
void actor_core::end_run(worker& on, worker_state& state) noexcept {
  const bool goes_on = !finished_ && phase_ == phase::running && (again_ || has_ready());
  if (goes_on || controls_.head != nullptr || intake_.has_unsorted()) on.schedule(*this);
  if (!finished_ && !retired_) return;
  const bool away = on.index() != origin_;
  const bool comes_home = retired_ && !away;  // before this run it had retired
  plain_ = false;
  if (finished_) end(how_);
  if (comes_home) leave();
  state.shown.end();
  if (away && retired_ && !queued) on.give(*this, node_->workers().at(origin_));
}

bool actor_core::receive_at_once(worker& here, receiver& r, const std::source_location& at) noexcept {
  worker_state& state = this->state(here);
  if (state.turns_left == 0 || receiver_ != nullptr || role != wait_role::alone) return false;
  note_slice(state);
  if (run_ends) return false;
  const instant own_deadline = here.work_deadline;
  envelope* e = next_plain(state);
  if (e == nullptr) {
    if (has_nothing() || stopping() || controls_.head != nullptr) return false;
    e = next_message(nullptr, state);
    if (e == nullptr) return false;
  }
  here.resumed_at.store(at, std::memory_order_relaxed);
  r.took = true;
  r.take(r, e);
  here.work_deadline = own_deadline;
  if (state.turns_left != 0) --state.turns_left;
  return true;
}

void actor_core::start_receiving(receiver& r) noexcept {
  TROUPE_ASSERT(receiver_ == nullptr, "an actor has one receive or serve at a time");
  receiver_ = &r;
  box_.scan_from_the_front();
  if (stopping()) return end_receive(errc::stopped);
  if (!box_.empty()) wake();
}

void actor_core::stop_receiving(receiver& r) noexcept {
  if (receiver_ == &r) receiver_ = nullptr;
}

void actor_core::resume_receiving(receiver& r) noexcept {
  TROUPE_ASSERT(receiver_ == &r, "only the handlers of the receiver go on");
  go_on(r);
  if (receiver_ != nullptr) wake();
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
    const receipt* const r = e.kind != letter_kind::waiting_here ? e.answer : nullptr;
    if (r == nullptr || r->peer != c.peer) return false;
    if (c.watch == 0) return e.by_link && e.credit()->link == c.session;
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
    hold(-std::int64_t{e->weight});
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

/// What is there is its, though the last run ended before it: the next one looks.
void actor_core::expire_receive(receiver& r) noexcept {
  if (receiver_ != &r || r.took) return;
  if (has_nothing()) return end_receive(errc::expired);
  r.overdue = true;
  wake();
}

void actor_core::end_receive(errc why) noexcept {
  receiver& r = *std::exchange(receiver_, nullptr);
  r.ended_by = why;
  r.complete();
}

void actor_core::finished(exit_kind how, std::string text) noexcept {
  if (std::exchange(finished_, true)) return;  // the first reason counts
  plain_ = false;
  how_ = how;
  if (ties_ || !text.empty()) ties().exit_text = std::move(text);
}

}  // namespace troupe::detail
