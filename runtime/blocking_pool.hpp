// Threads beside the workers, for calls that block: as many as are needed at a time, up to a limit. A node has some for those of its
// actors (troupe/blocking.hpp), and a hub for looking up names.
//
// | operation | who                                  | synchronisation |
// | take      | any worker                           | the guard       |
// | stop      | who stops the node, at its end       | the guard       |
//
// A call that has run comes back through the inbox of the worker that waits for it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include <troupe/env.hpp>

#include "waiting_room.hpp"

namespace troupe::detail {

class blocking_pool {
 public:
  blocking_pool(unsigned threads, std::size_t calls) noexcept : most_threads_(threads), most_calls_(calls) {}
  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;
  ~blocking_pool() { stop(); }

  struct job {
    std::function<void()> run;
    std::function<void()> then;  // when there is room for another job
  };
  /// ok, full or stopped. The job runs on one of the threads; where the env has none beside the workers, here and now.
  errc take(env& world, job what);
  /// Waits for the calls that run; those that have not begun never will.
  void stop() noexcept;

 private:
  void work(env& world);

  const unsigned most_threads_;
  const std::size_t most_calls_;
  waiting_room room_;  // what follows is under its guard
  std::deque<job> waiting_;
  std::size_t calls_ = 0;  // that wait or run
  std::vector<std::unique_ptr<running_thread>> threads_;
  unsigned idle_ = 0;
  bool over_ = false;
};

}  // namespace troupe::detail
