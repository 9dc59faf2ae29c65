// Birth, stop, kill, end, and who is told. All of it runs on the actor's home worker.
//
// An actor ends in this order: its coroutine is gone (generation moves on: senders hear no_such_actor); its children end,
// youngest first, one after the other; its monitors get DOWN, what it is linked with is told; its parent takes it out of
// the family and frees the slot. What was in its mailbox becomes dead letters once those have been told:
// there may be much of it, and only the slot waits for what the inlet still held.
// One that restarts is only at rest when its coroutine and then its children are gone (supervision.cpp).
#include <exception>
#include <new>
#include <utility>

#include <troupe/actor.hpp>
#include <troupe/detail/checked.hpp>
#include <troupe/log.hpp>

#include "actor_links.hpp"
#include "actor_steps.hpp"
#include "control.hpp"
#include "delivery.hpp"
#include "node_core.hpp"
#include "peers.hpp"
#include "slots.hpp"
#include "supervision.hpp"

namespace troupe {

std::string_view to_string(exit_kind kind) noexcept {
  switch (kind) {
    case exit_kind::normal: return "normal";
    case exit_kind::stopped: return "stopped";
    case exit_kind::killed: return "killed";
    case exit_kind::failed: return "failed";
    case exit_kind::no_such_actor: return "no such actor";
    case exit_kind::unreachable: return "unreachable";
    case exit_kind::died: return "died";
    case exit_kind::linked: return "linked";
  }
  return "unknown";
}

namespace detail {

void actor_returned(actor_core& core) noexcept {
  core.finished(core.stopping() ? exit_kind::stopped : exit_kind::normal, {});
}

void actor_threw(actor_core& core, std::exception_ptr failure) noexcept {
  try {
    std::rethrow_exception(std::move(failure));
  } catch (const std::exception& e) {
    core.finished(exit_kind::failed, e.what());
  } catch (...) {
    core.finished(exit_kind::failed, "an exception that is no std::exception");
  }
}

family::deadline_timer::deadline_timer(family& f) noexcept
    : timer([](timer& self) noexcept {
        actor_core& late = *static_cast<deadline_timer&>(self).of.owner;
        if (!static_cast<deadline_timer&>(self).of.had_no_time) late.overdue();
        late.command(late.generation(), new control(order::kill));
      }),
      of(f) {}

family::family() noexcept : kill_timer(*this) {}
family::~family() = default;

envelope* make_notice(const address& whom) {
  envelope* const e = make_envelope<down>([] { return down(); });
  if (e == nullptr) throw std::bad_alloc();  // the monitor's memory is set aside now, or there is no monitor
  static_cast<down*>(e->message())->actor = ref_to<protocol<>>(whom);
  return e;
}

void fill_notice(envelope* notice, exit_kind how, const std::string& text) {
  static_cast<down*>(notice->message())->reason = {how, text};
}

family& actor_core::ties() {
  if (!ties_) ties_ = std::make_unique<family>();
  ties_->owner = this;
  return *ties_;
}

void actor_core::born(control& birth) noexcept {
  ties_ = std::move(birth.ties);
  if (ties_) ties_->owner = this;
  frame_ = birth.frame;
  finished_ = false;
  how_ = exit_kind::normal;
  phase_ = phase::starting;
  parent_.store(birth.subject);
  messages_out_ = 0;
  may_move = birth.may_move;
  worker_state& here = *node_->here();
  kind_ = &here.kinds.born(birth.function);
  if (ties_ && !ties_->name.empty()) here.labels.put(slot_, ties_->name);
  if (birth.to_adopt) {
    auto* const adopt = new control(order::adopt);
    adopt->subject = this;
    parent()->push(*adopt);
  }
  note_plain();
  if (queued || home().running == this) return;  // it is to run anyhow
  if (home().running != nullptr) {
    home().schedule_newborn(*this);
  } else {
    home().schedule(*this);
  }
}

void actor_core::link_child(actor_core& child) noexcept {
  family& f = ties();
  ++f.linked;
  if (this != &node_->root()) child.birth_number_ = f.linked;
  actor_core* younger = nullptr;
  actor_core* elder = f.youngest;
  while (elder != nullptr && elder->birth_number_ > child.birth_number_) {
    younger = elder;
    elder = elder->elder_;
  }
  child.younger_ = younger;
  child.elder_ = elder;
  if (elder != nullptr) elder->younger_ = &child;
  (younger != nullptr ? younger->elder_ : f.youngest) = &child;
}

/// A child that was spawned elsewhere; if this has ended meanwhile, so must the child.
void actor_core::adopt(actor_core& child) noexcept {
  link_child(child);
  if (phase_ != phase::running && phase_ != phase::starting) end_next_child();
}

void actor_core::obey() noexcept {
  while (letter* const l = controls_.pop()) {
    auto* const c = static_cast<control*>(l);
    if (c->what == order::monitor) {
      add_monitor(c);
    } else {
      obey(*c);
      delete c;
    }
  }
}

/// Is the order about a message, which it may have overtaken?
static bool looks_at_messages(order what) noexcept {
  return what == order::cancel || what == order::chase || what == order::confirm;
}

void actor_core::obey(control& c) noexcept {
  const bool lives = (phase_ == phase::starting || phase_ == phase::running) && !finished_;
  if (looks_at_messages(c.what) && (lives || phase_ == phase::resting)) drain();
  switch (c.what) {
    case order::birth: return born(c);
    case order::adopt: return adopt(*c.subject);
    case order::reap: return reap(*c.subject);
    case order::stop: return begin_stop(c.deadline);
    case order::kill:
      if (phase_ == phase::starting || phase_ == phase::running || phase_ == phase::resting)
        return finished(exit_kind::killed, {});
      return begin_stop(home().now());  // its coroutine is gone: its children are next
    case order::demonitor: return remove_monitor(c);
    case order::cancel: return cancel(c);
    case order::rested:
      if (lives) supervising().rested(*c.subject, *c.words);
      return;
    case order::rest:
      if (!lives || stopping()) return;
      ties_->told_to_rest = true;
      return finished(exit_kind::stopped, {});
    case order::restart: return restart();
    case order::restarted:
      if (lives) supervising().restarted(*c.subject);
      return;
    case order::give_up:
      if (phase_ == phase::resting && !finished_) finished(c.words->why.kind, std::move(c.words->why.text));
      return;
    case order::link: return linked_by(c);
    case order::unlink: drop_link(c.other); return;
    case order::sever: return linked_one_ended(c);
    case order::lost: return lose_peer(c);
    case order::chase: return follow(std::move(c.chased));
    case order::confirm: return confirm(std::move(c.chased));
    case order::monitor: return;
  }
}

void actor_core::begin_stop(instant deadline) noexcept {
  if (phase_ == phase::free) return;
  family& f = ties();
  const bool sooner = f.stop_by == instant{} || deadline < f.stop_by;
  if (f.stop_by == instant{}) f.had_no_time = deadline <= home().now();
  if (sooner) f.stop_by = deadline;
  if (phase_ == phase::ending) {
    if (sooner) end_next_child();
    return;
  }
  close();
  while (envelope* const e = box_.pop_waiting()) turn_away(e, errc::stopped);
  if (f.ends_when_stopped || phase_ == phase::resting) return finished(exit_kind::stopped, {});
  if (receiver_ != nullptr && f.drops_handlers_when_stopped) receiver_->drop_all(errc::stopped);
  if (receiver_ != nullptr && receiver_->running == 0) end_receive(errc::stopped);
  if (sooner) home().timers().arm(f.kill_timer, deadline);
}

void actor_core::end_when_stopped(bool does) noexcept { ties().ends_when_stopped = does; }
void actor_core::drop_handlers_when_stopped() noexcept { ties().drops_handlers_when_stopped = true; }

void actor_core::end(exit_kind how) noexcept {
  if (frame_) {  // the destructors of its locals may still use its self
    strand* const outer = std::exchange(home().running, this);
    const auto frame = std::exchange(frame_, nullptr);
    if (!mutated(mutant::leaked_frame)) frame.destroy();
    home().running = outer;
  }
  receiver_ = nullptr;
  finished_ = false;
  how_ = how;
  if (ties_) {
    home().timers().cancel(ties_->kill_timer);
    ties_->keeper.reset();
    ties_->timers.clear();
    unwatch_all();
  }
  const bool again = restarts(how);
  if (how == exit_kind::failed && phase_ != phase::resting) {  // else: known already
    log(log_level::warning, node_->identity().name + ": actor '" + label() + "' failed: " + ties().exit_text +
                                (again ? "; it is to restart" : ""));
  }
  if (again) return rest();
  bury();
}

/// The end is final.
void actor_core::bury() noexcept {
  phase_ = phase::ending;
  close();
  forget_starved();
  crowded_ = false;
  const errc why = how_ == exit_kind::stopped ? errc::stopped : errc::no_such_actor;
  letter_queue left;
  node_->hold(-std::int64_t(box_.take_all(left)));
  if (!mutated(mutant::same_generation)) tenancy_.end();
  drain_express();  // all of it is stale now, but for what concerns the family
  obey();
  if (phase_ == phase::ending) end_next_child();
  // From here on the slot may be somebody else's.
  while (letter* const l = left.pop()) {
    auto* const e = static_cast<envelope*>(l);
    if (l->kind != letter_kind::message) {
      refuse_waiting(e, why);
    } else {
      drop(*node_, e, why, address::of(this, slot_, l->generation));
    }
  }
}

void actor_core::end_next_child() noexcept {
  if (phase_ == phase::ending && this == &node_->root() && ties().linked != node_->births()) {
    return;  // a younger one is yet to be adopted, and ends first
  }
  actor_core* const child = ties_ ? ties_->youngest : nullptr;
  if (child == nullptr) {
    if (phase_ == phase::ending) retire();
    if (phase_ == phase::resting) report_rest();
    return;
  }
  auto* const c = new control(how_ == exit_kind::killed ? order::kill : order::stop);
  const instant by = ties_->stop_by;
  c->deadline = by != instant{} ? by : node_->stop_by(home().now());
  child->command(child->generation(), c);
}

/// Its children have ended: everybody is told, and it leaves its slot; one that was moved, when it is back at its origin.
void actor_core::retire() noexcept {
  if (std::exchange(retired_, true)) return;
  if (ties_) tell_linked();
  letter* monitors = ties_ ? std::exchange(ties_->monitors, nullptr) : nullptr;
  const std::string none;
  const std::string& text = ties_ ? ties_->exit_text : none;
  while (monitors != nullptr) {
    const std::unique_ptr<control> c(static_cast<control*>(monitors));
    monitors = c->next;
    if (c->peer != nullptr) state().ties.remove(*c->peer, *this);
    const exit_kind told = mutated(mutant::wrong_reason) ? exit_kind::killed : how_;
    if (!mutated(mutant::lost_down)) notify(*this, *c, told, text);
  }
  if (home().index() == origin_) leave();
}

/// At its origin, whose books it is in.
void actor_core::leave() noexcept {
  phase_ = phase::free;
  retired_ = may_move = false;
  worker_state& here = state();
  ++kind_->ended[static_cast<std::size_t>(how_)];
  kind_->messages += messages_out_;
  if (ties_ && !ties_->name.empty()) here.labels.remove(slot_);
  ties_.reset();
  drain();  // all of it is stale, and must not count against the slot's next actor
  if (this == &node_->root()) return node_->root_ended();
  actor_core& above = *parent();
  if (above.reaps_at_once()) return above.reap(*this);
  auto* const reaping = new control(order::reap);
  reaping->subject = this;
  above.push(*reaping);
}

/// It is at home here and lives on, and no order waits for it, an adoption say; so it need not run to free a slot.
bool actor_core::reaps_at_once() const noexcept {
  return at_home() && phase_ == phase::running && !finished_ && controls_.head == nullptr &&
         intake_.empty() && (!ties_ || !ties_->keeper);
}

void actor_core::reap(actor_core& child) noexcept {
  family& f = ties();
  (child.younger_ != nullptr ? child.younger_->elder_ : f.youngest) = child.elder_;
  if (child.elder_ != nullptr) child.elder_->younger_ = child.younger_;
  child.elder_ = child.younger_ = nullptr;
  if (f.keeper) f.keeper->left(child);
  node_->all_slots().give_back(child);
  if (phase_ == phase::ending || phase_ == phase::resting) end_next_child();
}

// Monitors.

void actor_core::add_monitor(control* c) noexcept {
  if (phase_ == phase::free || phase_ == phase::ending) return refuse(*this, c);
  if (c->peer != nullptr && !c->peer->link.has(c->session)) {  // its loss has been seen to already
    c->peer->watched_here.fetch_sub(1, std::memory_order_relaxed);
    delete c;
    return;
  }
  family& f = ties();
  if (c->peer != nullptr) node_->here()->ties.add(*c->peer, *this);
  c->next = f.monitors;
  f.monitors = c;
}

void actor_core::remove_monitor(const control& c) noexcept {
  if (!ties_) return;
  for (letter** link = &ties_->monitors; *link != nullptr; link = &(*link)->next) {
    auto* const m = static_cast<control*>(*link);
    if (m->subject != c.subject || m->subject_generation != c.subject_generation || m->peer != c.peer ||
        m->watch != c.watch) {
      continue;
    }
    *link = m->next;
    if (m->peer != nullptr) node_->here()->ties.give_up(*m->peer, *this);
    if (m->notice != nullptr) finish(m->notice);
    delete m;
    return;
  }
}

void actor_core::watch(const address& whom, std::uint64_t remote_watch) {
  family& f = ties();
  if (f.watching.size() >= f.tidy_at) {
    std::erase_if(f.watching, [&](const family::watched& w) {
      return w.remote_watch != 0 ? !node_->here()->watches.contains(w.remote_watch)
                                 : w.whom.core()->generation() != w.whom.generation;
    });
    f.tidy_at = 2 * f.watching.size() + family::few;
  }
  f.watching.push_back({whom, remote_watch});
}

static void take_back(actor_core& watcher, const family::watched& w) noexcept {
  if (w.remote_watch != 0) return unwatch_peer(watcher.node(), w.whom, w.remote_watch);
  auto* const c = new control(order::demonitor);
  c->subject = &watcher;
  c->subject_generation = watcher.generation();
  w.whom.core()->command(w.whom.generation, c);
}

void actor_core::unwatch_all() noexcept {
  for (const family::watched& w : ties_->watching) take_back(*this, w);
  ties_->watching.clear();
}

void actor_core::unwatch(const address& whom) noexcept {
  if (!ties_) return;
  std::erase_if(ties_->watching, [&](const family::watched& w) {
    const bool meant = w.whom == whom;
    if (meant) take_back(*this, w);
    return meant;
  });
}

void monitor(actor_core& watcher, const address& whom) {
  if (!whom) {  // what could not be spawned
    envelope* const notice = make_notice(whom);
    fill_notice(notice, exit_kind::no_such_actor, {});
    watcher.node().count(entry::accepted_local);
    return watcher.deliver(watcher.generation(), notice);
  }
  if (whom.is_remote()) return watch_peer(watcher, whom);
  envelope* const notice = make_notice(whom);
  auto* const c = new control(order::monitor);
  c->subject = &watcher;
  c->subject_generation = watcher.generation();
  c->notice = notice;
  watcher.watch(whom, 0);
  whom.core()->command(whom.generation, c);
}

void notify(actor_core& dead, control& c, exit_kind how, const std::string& text) noexcept {
  if (c.peer != nullptr) return notify_peer(dead.node(), *c.peer, c.watch, how, text);
  fill_notice(c.notice, how, text);
  dead.node().count(entry::accepted_local);
  c.subject->deliver(c.subject_generation, std::exchange(c.notice, nullptr));
}

void refuse(actor_core& gone, control* c) noexcept {
  const std::unique_ptr<control> own(c);
  switch (c->what) {
    case order::monitor: return notify(gone, *c, exit_kind::no_such_actor, {});
    case order::link: return refuse_link(gone, *c);
    case order::birth: TROUPE_ASSERT(false, "a birth met another generation"); return;
    default: return;
  }
}

void stop_self(actor_core& core) noexcept {
  auto* const c = new control(order::stop);
  c->deadline = core.home().now() + core.node().options().stop_deadline;
  core.close();  // at once; the order, which comes after this run, does the rest
  core.command(core.generation(), c);
}

}  // namespace detail
}  // namespace troupe
