#include <troupe/detail/worker.hpp>

#include <concurrentqueue/concurrentqueue.h>

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

worker::worker(env& world, unsigned index, std::unique_ptr<io_driver> io)
    : world_(world),
      index_(index),
      io_(std::move(io)),
      inbox_(std::make_unique<inbox>()),
      now_(world.now()) {}

worker::~worker() {
  TROUPE_ASSERT(head_ == nullptr && inbox_looks_empty(),
                "destroy a worker only after its run() has returned");
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

void worker::schedule(runnable& r) noexcept {
  if (r.queued) return;
  r.queued = true;
  r.next = nullptr;
  (tail_ != nullptr ? tail_->next : head_) = &r;
  tail_ = &r;
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

void worker::drain_inbox() {
  runnable* batch[run_budget];
  const std::size_t count = inbox_->queue.try_dequeue_bulk(batch, run_budget);
  for (std::size_t i = 0; i < count; ++i) schedule(*batch[i]);
}

bool worker::inbox_looks_empty() {
  drain_inbox();
  return head_ == nullptr;
}

void worker::run_queue(unsigned budget) {
  for (; budget != 0 && head_ != nullptr; --budget) {
    runnable& r = *head_;
    head_ = r.next;
    if (head_ == nullptr) tail_ = nullptr;
    r.queued = false;
    r.run(r, *this);
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
  read_clock();
  drain_inbox();
  timers_.advance(now_);
  run_queue(run_budget);
  flush(head_ == nullptr);

  std::optional<instant> until;
  if (may_sleep && head_ == nullptr && flushes_ == nullptr) {
    gate_.before_last_look();
    if (inbox_looks_empty() && !stopping_.load()) {
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
  } while (head_ != nullptr || flushes_ != nullptr || closing != 0 || !inbox_looks_empty());
}

bool worker::settle() {
  worker* const outer = std::exchange(current_worker, this);
  drain_inbox();
  const bool busy = head_ != nullptr || flushes_ != nullptr;
  run_queue(run_budget);
  flush(true);
  current_worker = outer;
  return busy;
}

}  // namespace troupe::detail
