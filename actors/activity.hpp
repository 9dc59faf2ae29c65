// What one worker shows of its runs: which actor runs, and how many runs it has begun. The thread of held_watch
// looks at it and says when a run has used its time slice; the run then ends behind the present message.
//
// Whoever reads runs() first never finds an actor of an earlier run, but may find one of a later. Whatever it then reads
// of the actor by an acquire load, or under a mutex, belongs to the run if runs() and actor() are the same after it: a
// later actor of the same slot writes in a later run.
//
// | operation             | who         | synchronisation                                                        |
// | begin                 | worker      | runs_: release: the end of the run before, to runs;                    |
// |                       |             | actor_: release: the actor's slot, to actor                            |
// | end                   | worker      | relaxed store: nobody sees anything by it                              |
// | runs, then actor      | any thread  | acquire loads, from begin                                              |
// | slice_is_used: set    | held_watch  | relaxed store of the run's number, which no later run has              |
// | slice_is_used: look   | worker      | relaxed load, after each message: a hint                               |
#pragma once

#include <cstdint>

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class actor_core;

class activity {
 public:
  // The worker.
  void begin(const actor_core& who) noexcept {
    runs_.store(runs_.load(std::memory_order_relaxed) + 1, std::memory_order_release);  // to runs
    actor_.store(&who, std::memory_order_release);                                      // to actor
  }
  void end() noexcept { actor_.store(nullptr, std::memory_order_relaxed); }
  bool slice_is_used() const noexcept {
    return used_up_.load(std::memory_order_relaxed) == runs_.load(std::memory_order_relaxed);
  }

  // Any thread.
  std::uint64_t runs() const noexcept { return runs_.load(std::memory_order_acquire); }  // from begin
  /// Whose run it is; null: none.
  const actor_core* actor() const noexcept { return actor_.load(std::memory_order_acquire); }  // from begin

  // held_watch.
  void use_up_slice(std::uint64_t run) noexcept { used_up_.store(run, std::memory_order_relaxed); }

 private:
  atomic<std::uint64_t> runs_{0};
  atomic<const actor_core*> actor_{nullptr};
  atomic<std::uint64_t> used_up_{0};
};

}  // namespace troupe::detail
