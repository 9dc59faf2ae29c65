#include <troupe/detail/worker.hpp>

#include <concurrentqueue/concurrentqueue.h>

#include <algorithm>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/checked.hpp>

#include "io_driver.hpp"

namespace troupe::detail {

constinit thread_local worker* current_worker = nullptr;

struct worker::inbox {
  moodycamel::ConcurrentQueue<runnable*> queue;
};

namespace {

/// A posted function: runs once and frees itself.
struct posted_function : runnable {
  explicit posted_function(std::function<void(worker&)> f)
      : runnable([](runnable& self, worker& on) noexcept {
          const std::unique_ptr<posted_function> own(static_cast<posted_function*>(&self));
          own->body(on);
        }),
        body(std::move(f)) {}
  std::function<void(worker&)> body;
};

}  // namespace

worker::worker(env& world, unsigned index, std::unique_ptr<io_driver> io, duration look_out_for)
    : world_(world),
      index_(index),
      io_(std::move(io)),
      inbox_(std::make_unique<inbox>()),
      now_(world.now()),
      look_out_(look_out_for) {}

worker::~worker() {
  TROUPE_ASSERT(!has_runs() && inbox_looks_empty(), "destroy a worker only after its run() has returned");
}

void worker::post(runnable& r) noexcept {
  inbox_->queue.enqueue(&r);
  if (gate_.after_post() && !mutated(mutant::lost_wake_up)) io_->wake();
}

void worker::post(std::function<void(worker&)> f) { post(*new posted_function(std::move(f))); }

void worker::request_stop() noexcept {
  stopping_.store(true);
  io_->wake();
}

void worker::defer(deferred& d) noexcept {
  if (d.queued) return;
  d.queued = true;
  d.next = nullptr;
  if (flushes_ == nullptr) flush_due_ = now_ + flush_after;
  (flushes_tail_ != nullptr ? flushes_tail_->next : flushes_) = &d;
  flushes_tail_ = &d;
}

void worker::cancel(deferred& d) noexcept {
  if (!d.queued) return;
  for (deferred** at : {&flushes_, &flushing_}) {
    deferred* before = nullptr;
    for (; *at != nullptr && *at != &d; at = &(*at)->next) before = *at;
    if (*at == nullptr) continue;
    *at = d.next;
    if (flushes_tail_ == &d) flushes_tail_ = before;
  }
  d.queued = false;
}

void worker::give(runnable& r, worker& to) noexcept {
  r.lives_on.give_to(to);
  to.post(r);
}

/// False if there was nothing.
bool worker::drain_inbox() {
  runnable* batch[run_budget];
  const std::size_t count = inbox_->queue.try_dequeue_bulk(batch, run_budget);
  for (std::size_t i = 0; i < count; ++i) {
    runnable& r = *batch[i];
    if (r.lives_on.is(nullptr) || r.lives_on.taken_by(*this)) {
      schedule(r);
    } else {
      r.lives_on.target()->post(r);
    }
  }
  return count != 0;
}

void worker::share_work() noexcept {
  for (const auto& w : all) {
    if (w.get() != this && w->idle_.load(std::memory_order_relaxed)) share_with(*w);
  }
}

/// Every second one that may move, of those that come next.
void worker::share_with(worker& idle) noexcept {
  constexpr unsigned most_looked_at = 256;
  unsigned most = most_shared;
  unsigned looks = most_looked_at;
  bool goes = false;  // the first stays: this worker has nothing else to do
  for (run_list* const list : {&newborn_, &runs_}) {
    run_list stay;
    for (; !list->empty() && most != 0 && looks != 0; --looks) {
      runnable& r = list->pop_front();
      if (!r.may_move || !std::exchange(goes, !goes)) {
        stay.push_back(r);
        continue;
      }
      r.queued = false;
      --most;
      give(r, idle);
    }
    list->prepend(stay);
  }
}

bool worker::inbox_looks_empty() {
  const bool had_some = drain_inbox();  // it may all have been posted on, and more be left
  return !had_some && !has_runs();
}

void worker::look_at(lookout& l) noexcept {
  l.in_vain = 0;
  if (std::exchange(l.listed, true)) return;
  l.next = std::exchange(lookouts_, &l);
}

void worker::forget(lookout& l) noexcept {
  if (!std::exchange(l.listed, false)) return;
  lookout** at = &lookouts_;
  while (*at != &l) at = &(*at)->next;
  *at = l.next;
}

/// True: one of them had news. `counts`: this look is a turn's.
bool worker::look_round(bool counts) noexcept {
  bool any = false;
  for (lookout** at = &lookouts_; *at != nullptr;) {
    lookout& l = **at;
    const bool news = l.news(l);
    const bool asleep = !news && counts && ++l.in_vain == most_looks_in_vain && l.sleeps(l);
    if (!news && !asleep && l.in_vain != most_looks_in_vain) {
      at = &l.next;
      continue;
    }
    any = any || !asleep;
    *at = l.next;
    l.listed = false;
  }
  return any;
}

/// False: one of them had news after all.
bool worker::lookouts_sleep() noexcept {
  bool quiet = true;
  while (lookouts_ != nullptr) {
    lookout& l = *std::exchange(lookouts_, lookouts_->next);
    l.listed = false;
    quiet = l.sleeps(l) && quiet;
  }
  return quiet;
}

/// Looks out for what would end a sleep. True: there is something to do.
bool worker::something_comes() {
  if (!io_->has_news()) return false;  // it cannot say
  io_->turn(std::nullopt);             // what was started is on its way while it looks
  slept_ = true;
  if (has_runs() || flushes_ != nullptr) return true;
  instant last = world_.now();
  const instant timer = timers_.next_due().value_or(instant::max());
  const instant end = std::min(last + look_out_.most(), timer);
  while (last < end) {
    for (unsigned i = 0; i < look_out::looks; ++i) {
      const std::optional<bool> news = io_->has_news();
      if (!news) return false;
      if (*news || inbox_->queue.size_approx() != 0 || look_round(false) || stopping_.load()) {
        look_out_.something_came();
        return true;
      }
      relax_processor();
    }
    const instant now = world_.now();
    if (now - std::exchange(last, now) > look_out::held_up_after) {
      look_out_.was_held_up(now);
      return false;
    }
  }
  look_out_.nothing_came();
  return last >= timer;
}

void worker::run_queue(unsigned budget) {
  unsigned newborn_left = std::exchange(others_first_, false) ? 0 : most_newborn;
  unsigned runs = 0;  // since it looked at the clock
  unsigned look_after = std::exchange(look_after_, 1);
  instant looked = now_;
  for (bool first = true; budget != 0 && has_runs(); --budget, first = false) {
    const bool newborn = !newborn_.empty() && (newborn_left != 0 || runs_.empty());
    run_list& from = newborn ? newborn_ : runs_;
    if (std::exchange(from.head->yields, false) && !first) return;  // it is the first of the next turn
    runnable& r = from.pop_front();
    if (newborn && newborn_left != 0) --newborn_left;
    r.queued = false;
    r.run(r, *this);
    newborn_.prepend(births_);
    if (++runs != look_after || !has_runs()) continue;
    read_clock();
    const bool long_ones = (now_ - std::exchange(looked, now_)) / runs >= long_run;
    const bool before = std::exchange(long_before_, long_ones);
    if (world_.spreads(long_ones && before)) share_work();
    others_first_ = long_ones && before && newborn && !runs_.empty();  // one long run may be chance
    if (long_ones) return;  // timers, I/O and what others have posted come first
    look_after = 2 * runs;
    look_after_ = std::min(look_after, most_unseen);
    runs = 0;
  }
}

void worker::flush(bool now) {
  if (flushes_ == nullptr || !(now || now_ >= flush_due_)) return;
  flushing_ = std::exchange(flushes_, nullptr);  // what they defer in turn is the next flush's
  flushes_tail_ = nullptr;
  while (flushing_ != nullptr) {
    deferred& d = *flushing_;
    flushing_ = d.next;
    d.queued = false;
    d.run(d);
  }
}

void worker::read_clock() noexcept {
  now_ = world_.now();
  slept_ = false;
}

void worker::turn(bool may_sleep) {
  worker* const outer = std::exchange(current_worker, this);
  gate_.awake();  // not sooner: a simulated worker sleeps between its turns
  if (slept_) look_after_ = 1;
  read_clock();
  drain_inbox();
  if (lookouts_ != nullptr) look_round(true);
  timers_.advance(now_);
  if (has_runs() && idle_.load(std::memory_order_relaxed)) idle_.store(false, std::memory_order_relaxed);
  run_queue(run_budget);
  flush(!has_runs());

  const bool idle = may_sleep && !has_runs() && flushes_ == nullptr;
  if (idle && !idle_.load(std::memory_order_relaxed)) idle_.store(true, std::memory_order_relaxed);
  if (idle && look_out_.pays(now_) && something_comes()) {
    current_worker = outer;
    return;
  }

  std::optional<instant> until;
  if (idle && !has_runs() && flushes_ == nullptr) {
    gate_.before_last_look();
    if (lookouts_sleep() && inbox_looks_empty() && !stopping_.load()) {
      until = timers_.next_due().value_or(instant::max());
    }
  }
  slept_ = until.has_value();
  io_->turn(until);
  current_worker = outer;
}

void worker::run() {
  thread.store(world_.thread_id(), std::memory_order_relaxed);
  while (!stopping_.load()) turn(true);
  do {
    turn(false);
  } while (has_runs() || flushes_ != nullptr || closing != 0 || !inbox_looks_empty());
}

bool worker::settle() {
  worker* const outer = std::exchange(current_worker, this);
  const bool busy = drain_inbox() || has_runs() || flushes_ != nullptr;
  run_queue(run_budget);
  flush(true);
  current_worker = outer;
  return busy;
}

}  // namespace troupe::detail
