// Where threads that are no workers wait for what workers do: a mutex and a condition that sleep through the env, so that
// in a simulation the world goes on while its one thread waits.
//
// | operation   | who                                   | synchronisation                                          |
// | wait        | any thread but a worker               | the guard; `done` is asked under it                      |
// | notify_all  | any thread, in a worker too           | under the guard, after what it tells of was written      |
#pragma once

#include <condition_variable>
#include <mutex>

#include <troupe/env.hpp>

namespace troupe::detail {

class waiting_room {
 public:
  std::mutex guard;
  std::condition_variable changed;

  void notify_all() noexcept { changed.notify_all(); }

  /// Until done(), or `until`: the answer is what done() said last. `lock` holds the guard.
  template <class Done>
  bool wait(env& world, [[maybe_unused]] std::unique_lock<std::mutex>& lock, Done done,
            instant until = instant::max()) {
    while (!done()) {
      if (!world.sleep_in(*this, until)) return done();
    }
    return true;
  }
};

}  // namespace troupe::detail
