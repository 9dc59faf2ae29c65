// Finds runs that are too long, by a thread of its own (the observer), for a worker that is held cannot look, and
// would have to read the clock after each message. It looks once a time slice at what the workers show
// (activity.hpp).
//
//   seen at two looks   the run has used its slice: it ends behind the present message, and others have their turn
//   `allowed` later     one message, or what follows one suspension, takes that long: reported, once a run
//
// It asks nothing of the worker that is held: an actor's parents and name are readable from any thread
// (node_core::path_of). Time that the worker's thread was ready and had no processor does not count, nor
// that since the last look when the observer comes late itself: the machine or the process was stopped.
//
// When no actor has run for quiet_looks the observer sleeps untimed, so an idle node takes no CPU; not sooner, for the
// run that wakes it pays for that (watch_park.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include <troupe/env.hpp>

#include "waiting_room.hpp"
#include "watch_park.hpp"

namespace troupe::detail {

class actor_core;
class node_core;

class held_watch {
 public:
  static constexpr duration slice = std::chrono::milliseconds(5);
  static constexpr unsigned quiet_looks = 4;

  explicit held_watch(node_core& node) noexcept : node_(node) {}
  held_watch(const held_watch&) = delete;
  held_watch& operator=(const held_watch&) = delete;
  ~held_watch() { stop(); }

  /// `allowed`: how long one message may hold its worker; zero: nothing is reported.
  void start(duration allowed);
  void stop() noexcept;
  /// A worker has begun to run an actor, and shows it.
  void run_begins() noexcept {
    if (park_.after_run_began()) wake();
  }

 private:
  struct observed {
    std::uint64_t run = 0;
    instant since{};  // its slice was used; zero: not yet
    instant looked{};
    thread_times then{};
    duration held{};  // since
    bool told = false;
  };

  void observe();
  bool look();
  void suspect(unsigned worker, const actor_core& who, instant now, bool late);
  void report(unsigned worker, const actor_core& who, duration held);
  void wake() noexcept;

  node_core& node_;
  duration allowed_{};
  std::vector<observed> seen_;  // the observer's, as is looked_
  instant looked_{};
  watch_park park_{quiet_looks};
  waiting_room room_;
  bool over_ = false;  // under its guard
  std::unique_ptr<running_thread> thread_;
};

}  // namespace troupe::detail
