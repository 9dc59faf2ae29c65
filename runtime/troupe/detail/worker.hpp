// A worker: one thread, one I/O driver, one run queue, one set of timers and memory pools.
//
// Protocol. Everything below the line "own thread" is touched by the worker's thread alone, so the hot paths
// need no atomics. Other threads hand work over with post(): an element in the worker's inbox (a
// concurrentqueue: many producers, one batch consumer), then a wake-up if, and only if, the worker sleeps.
//
// How no wake-up is lost: sleep_gate.hpp.
//
// | operation                                | who        | synchronisation                               |
// | post                                     | any thread | inbox release; sleep_gate::after_post         |
// | turn, schedule, defer, now, io, timers   | own thread | none                                          |
// | the look before sleeping                 | own thread | sleep_gate::before_last_look; inbox acquire   |
// | idle_                                    | own: store, siblings: load | relaxed: a hint               |
// | request_stop                             | any thread | published: what was posted before is run      |
// | resumed_at, thread: write                | own thread | relaxed store                                 |
// | resumed_at, thread: read                 | any thread | relaxed load: a hint for people               |
//
// Long runs. A worker looks at the clock after the first run of a turn, or after some when those of the turn before were short,
// and then twice as rarely as long as they are.
// Long ones end the turn; and when two looks in a row find such, it hands half of what may move to those that have nothing
// to do. Talkers are best off together, and one long run may be chance. How they move: home_word.hpp.
//
// A turn: drain the inbox; look at what is written without a word (lookout); fire timers; run at most `run_budget` runnables; run the deferred flushes when the
// run queue is empty (or 20 µs after the first was asked for); give the I/O driver its turn, and if there is nothing to run,
// look out for something, and then sleep.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <span>
#include <utility>

#include <troupe/detail/home_word.hpp>
#include <troupe/detail/look_out.hpp>
#include <troupe/detail/pool.hpp>
#include <troupe/detail/published.hpp>
#include <troupe/detail/sleep_gate.hpp>
#include <troupe/detail/timer_wheel.hpp>
#include <troupe/env.hpp>

namespace troupe::detail {

class worker;
class io_driver;
class strand;

/// Something that a worker runs. Intrusive: all but lives_on belongs to the home worker's thread.
struct runnable {
  using function = void (*)(runnable& self, worker& on) noexcept;
  explicit runnable(function f, worker* home = nullptr) noexcept : run(f), lives_on(home) {}
  runnable(const runnable&) = delete;
  runnable& operator=(const runnable&) = delete;

  function run;
  runnable* next = nullptr;
  home_word lives_on;     // nobody: it runs where it is posted, and is posted once
  bool queued = false;    // in the run queue now
  bool may_move = false;  // to another worker, while it is queued
  bool yields = false;    // its next run is in a later turn
};

class run_list {
 public:
  bool empty() const noexcept { return head == nullptr; }
  void push_back(runnable& r) noexcept {
    r.next = nullptr;
    (head != nullptr ? tail->next : head) = &r;
    tail = &r;
  }
  runnable& pop_front() noexcept {
    runnable& r = *head;
    head = r.next;
    return r;
  }
  /// Those of `more` come first; it is empty then.
  void prepend(run_list& more) noexcept {
    if (more.empty()) return;
    if (!empty()) {
      more.tail->next = head;
      more.tail = tail;
    }
    *this = std::exchange(more, {});
  }

  runnable* head = nullptr;
  runnable* tail = nullptr;  // if there is a head
};

/// A flush that many callers may ask for during a turn and that runs once, at the end of the turn's work.
struct deferred {
  using function = void (*)(deferred& self) noexcept;
  explicit deferred(function f) noexcept : run(f) {}
  deferred(const deferred&) = delete;
  deferred& operator=(const deferred&) = delete;

  function run;
  deferred* next = nullptr;
  bool queued = false;
};

/// Memory that others write without a word to the worker: it looks there in each turn for as long as it is awake. When it goes
/// to sleep, or nothing has come for many turns, the lookout sleeps, and from then on they have to ring. The functions may only
/// schedule, and start I/O. The worker's own thread.
struct lookout {
  using look = bool (*)(lookout& self) noexcept;
  lookout(look has_news, look falls_asleep) noexcept : news(has_news), sleeps(falls_asleep) {}
  lookout(const lookout&) = delete;
  lookout& operator=(const lookout&) = delete;

  look news;    // true: there is something, and a run for it is scheduled
  look sleeps;  // true: it does; false: there is something after all, likewise
  lookout* next = nullptr;
  unsigned in_vain = 0;
  bool listed = false;
};

class worker {
 public:
  static constexpr std::size_t cache_line = 64;
  static constexpr unsigned run_budget = 64;  // runnables a turn
  static constexpr duration flush_after = std::chrono::microseconds(20);
  static constexpr unsigned most_newborn = run_budget / 2;  // a turn, if others wait
  static constexpr unsigned most_shared = 64;               // runnables handed over at a time
  static constexpr unsigned most_looks_in_vain = 256;       // of turns, at the same lookout
  static constexpr unsigned most_unseen = 16;               // runs of a turn, before it looks at the clock
  static constexpr duration long_run = std::chrono::microseconds(100);

  /// `look_out_for`: how long it looks out for work before it sleeps (look_out.hpp).
  worker(env& world, unsigned index, std::unique_ptr<io_driver> io, duration look_out_for = {});
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;
  ~worker();

  // Any thread.
  unsigned index() const noexcept { return index_; }
  env& world() const noexcept { return world_; }
  void post(runnable& r) noexcept;
  /// Runs `f` on this worker's thread, in a later turn. Calls from one thread run in the order they were
  /// made.
  void post(std::function<void(worker&)> f);
  void request_stop() noexcept;

  // Own thread.
  void schedule(runnable& r) noexcept {
    if (r.queued) return;
    r.queued = true;
    runs_.push_back(r);
  }
  /// To begin with. What a run makes follows it at once, in the order in which it was made, before what was made sooner: so a
  /// tree of actors is done branch by branch, and the memory of one serves the next. Whatever else waits has half of each
  /// turn.
  void schedule_newborn(runnable& r) noexcept {
    r.queued = true;
    births_.push_back(r);
  }
  void defer(deferred& d) noexcept;
  void cancel(deferred& d) noexcept;
  /// The time, from the clock: deadlines are set and judged by it, however long this turn has computed.
  instant now() noexcept {
    read_clock();
    return now_;
  }
  /// For stamps on messages, without a look at the clock: when this turn, or a later now() in it, looked.
  instant turn_time() noexcept {
    if (slept_) read_clock();  // handlers of I/O run after the turn's sleep
    return now_;
  }
  /// The turn's time, for whoever has asked whether it is known; else it takes a look at the clock.
  bool knows_time() const noexcept { return !slept_; }
  instant known_time() const noexcept { return now_; }
  /// From then on it looks there, until `l` has news or sleeps.
  void look_at(lookout& l) noexcept;
  void forget(lookout& l) noexcept;
  io_driver& io() noexcept { return *io_; }
  timer_wheel& timers() noexcept { return timers_; }
  pool_cache& pool() noexcept { return pool_; }

  /// Hands `r` over, which is at home here and in no queue.
  void give(runnable& r, worker& to) noexcept;

  /// One turn. `may_sleep` lets it park until something happens; without it the turn never blocks.
  void turn(bool may_sleep);
  /// Turns until request_stop(), then drains what was posted before it and lets closing sockets close.
  void run();
  /// After every worker's run() has returned: runs what they, and other threads, posted here meanwhile, without I/O.
  /// False when there was nothing.
  bool settle();

  /// Resumes `first`, then whatever coroutine it asks to continue with, and so on: tasks start and return
  /// through here, so a chain of a million of them uses no more stack than one. (Symmetric transfer would:
  /// GCC does not turn it into jumps at -O0, nor under sanitizers.)
  void resume(std::coroutine_handle<> first) {
    for (auto next = first; next; next = std::exchange(continue_with_, nullptr)) next.resume();
  }
  /// Called by a coroutine that is about to suspend, inside resume(): the one to continue with.
  void continue_with(std::coroutine_handle<> next) noexcept { continue_with_ = next; }

  // Own thread.
  strand* running = nullptr;      // whose coroutine runs now
  instant work_deadline{};        // of the work that it does; zero: none
  std::uint64_t next_ticket = 1;  // of an operation (strand.hpp)

  std::atomic<std::source_location> resumed_at{};  // the co_await from which a coroutine went on last
  std::atomic<std::int32_t> thread{0};             // env::thread_id of its own thread; 0: it has none yet
  void* owner = nullptr;  // the per-worker state of the layer above; set before the first turn
  std::span<const std::unique_ptr<worker>> all;  // of its scheduler, this too; set before the first turn
  unsigned closing = 0;  // sockets whose cancelled operations have not completed; own thread

 private:
  struct inbox;

  bool drain_inbox();
  bool has_runs() const noexcept { return !runs_.empty() || !newborn_.empty(); }
  void share_work() noexcept;
  void share_with(worker& idle) noexcept;
  void run_queue(unsigned budget);
  void flush(bool now);
  void read_clock() noexcept;
  bool inbox_looks_empty();
  bool something_comes();
  bool look_round(bool counts) noexcept;
  bool lookouts_sleep() noexcept;

  // What others read, in lines of their own: its own thread writes none of it while it is busy.
  alignas(cache_line) env& world_;
  unsigned index_;
  std::unique_ptr<io_driver> io_;
  std::unique_ptr<inbox> inbox_;
  sleep_gate gate_;
  std::atomic<bool> idle_{false};  // a hint to those that have too much to do; relaxed
  published<bool> stopping_;

  alignas(cache_line) run_list runs_;
  run_list newborn_;
  run_list births_;  // of the present run
  deferred* flushes_ = nullptr;
  deferred* flushes_tail_ = nullptr;
  deferred* flushing_ = nullptr;  // the rest of the flush that runs now
  instant flush_due_{};
  instant now_{};
  bool slept_ = false;         // since now_ was read
  unsigned look_after_ = 1;    // so many runs of the next turn
  bool long_before_ = false;   // the runs that it looked at last were long ones
  bool others_first_ = false;  // two long runs, of newborns, have kept others from their turn
  look_out look_out_;
  lookout* lookouts_ = nullptr;
  timer_wheel timers_;
  pool_cache pool_;
  std::coroutine_handle<> continue_with_ = nullptr;
};

/// The worker that runs on this thread now, or null: the only thread_local of the library.
extern constinit thread_local worker* current_worker;

/// From the cache of the worker that runs here, or from the depot off the workers. Throws std::bad_alloc.
inline void* pool_allocate(std::size_t bytes) {
  worker* const here = current_worker;
  return here != nullptr && pool_cache::takes(bytes) ? here->pool().allocate(bytes) : depot_allocate(bytes);
}
/// `bytes` must be what the block was allocated with. Any thread.
inline void pool_release(void* block, std::size_t bytes) noexcept {
  worker* const here = current_worker;
  return here != nullptr && pool_cache::takes(bytes) ? here->pool().release(block, bytes)
                                                     : depot_release(block, bytes);
}

}  // namespace troupe::detail
