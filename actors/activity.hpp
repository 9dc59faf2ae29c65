// What one worker shows of its runs: which actor runs, and how many runs it has begun. The thread of held_watch
// looks at it and says when a run has used its time slice; the run then ends behind the present message.
//
// | operation             | who         | synchronisation                                                        |
// | begin, end            | worker      | release stores, in the order runs_, actor_; a compiler fence           |
// | runs, then actor      | any thread  | acquire loads: never an actor of an earlier run                        |
// | slice_is_used: set    | held_watch  | relaxed store of the run's number, which no later run has              |
// | slice_is_used: look   | worker      | relaxed load, after each message: a hint                               |
#pragma once

#include <atomic>
#include <cstdint>

namespace troupe::detail {

class actor_core;

class activity {
 public:
  // The worker.
  void begin(const actor_core& who) noexcept {
    runs_.store(runs_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    actor_.store(&who, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  void end() noexcept { actor_.store(nullptr, std::memory_order_release); }
  bool slice_is_used() const noexcept {
    return used_up_.load(std::memory_order_relaxed) == runs_.load(std::memory_order_relaxed);
  }

  // Any thread.
  std::uint64_t runs() const noexcept { return runs_.load(std::memory_order_acquire); }
  /// Whose run it is; null: none.
  const actor_core* actor() const noexcept { return actor_.load(std::memory_order_acquire); }

  // held_watch.
  void use_up_slice(std::uint64_t run) noexcept { used_up_.store(run, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> runs_{0};
  std::atomic<const actor_core*> actor_{nullptr};
  std::atomic<std::uint64_t> used_up_{0};
};

}  // namespace troupe::detail
