// Finds actors that hold their worker: a thread of its own, for with one worker there is nobody else to look.
//
// A worker publishes which actor runs, and how many runs of actors it has begun; its books tell how many messages were
// taken, so that an actor that gets through a long queue is no suspect. The observer looks twice in the time that is
// allowed. An actor that makes no progress for longer is reported, once a run. When the observer comes late itself, the
// machine or the process was stopped, and time is counted anew. It asks nothing of the worker that is held: an actor's
// parents and name are readable from any thread (node_core::path_of).
//
// While no actor runs the observer sleeps untimed, so an idle node takes no CPU. Falling asleep is a Dekker handshake
// whose fence only the observer pays, in time: it sets `parked_`, and looks once more half a period later. A run that
// began before its worker could see `parked_` has long become visible by then; any later one wakes the observer.
//
// | operation               | who       | synchronisation                                                      |
// | activity::begin, end    | worker    | release stores, in the order runs_, actor_; a compiler fence          |
// | look                    | observer  | acquire loads of runs_, then actor_: never an actor of an earlier run |
// | run_begins              | worker    | relaxed load of parked_; the mutex only if it is set                  |
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include <troupe/env.hpp>

namespace troupe::detail {

class actor_core;
class node_core;

class held_watch {
 public:
  /// What one worker shows.
  class activity {
   public:
    void begin(const actor_core& who) noexcept {
      runs_.store(runs_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
      actor_.store(&who, std::memory_order_release);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    void end() noexcept { actor_.store(nullptr, std::memory_order_release); }

    std::uint64_t runs() const noexcept { return runs_.load(std::memory_order_acquire); }
    /// Whose run it is; null: none.
    const actor_core* actor() const noexcept { return actor_.load(std::memory_order_acquire); }

   private:
    std::atomic<std::uint64_t> runs_{0};
    std::atomic<const actor_core*> actor_{nullptr};
  };

  explicit held_watch(node_core& node) noexcept : node_(node) {}
  held_watch(const held_watch&) = delete;
  held_watch& operator=(const held_watch&) = delete;
  ~held_watch() { stop(); }

  /// `allowed`: how long an actor may run at a time; zero: nobody looks.
  void start(duration allowed);
  void stop() noexcept;
  /// A worker has begun to run an actor.
  void run_begins() noexcept {
    if (parked_.load(std::memory_order_relaxed)) wake();
  }

 private:
  struct observed {
    std::uint64_t runs = 0;
    std::uint64_t taken = 0;
    instant since{};
    bool told = false;
  };

  void observe();
  bool look();
  void report(unsigned worker, std::uint64_t run, const actor_core& who, duration held);
  void wake() noexcept;

  node_core& node_;
  duration allowed_{};
  std::vector<observed> seen_;  // the observer's, as is looked_
  instant looked_{};
  std::atomic<bool> parked_{false};
  std::mutex guard_;
  std::condition_variable changed_;
  bool over_ = false;  // under guard_
  std::thread thread_;
};

}  // namespace troupe::detail
