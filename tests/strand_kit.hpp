// A coroutine on a strand of its own, as an actor is, for tests of what coroutines await.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <utility>

#include <troupe/detail/strand.hpp>
#include <troupe/task.hpp>

namespace troupe::test {

/// Create, start, look at and destroy it on its worker's thread, between turns.
class player : public detail::strand {
 public:
  player(detail::worker& home, task<> body)
      : strand(&player::run, home), frame_(play(this, std::move(body)).frame) {}
  ~player() {
    kill();
    while (queued) home().turn(false);
  }

  void start() { home().schedule(*this); }
  /// Destroys the coroutine where it is suspended.
  void kill() {
    if (frame_) std::exchange(frame_, nullptr).destroy();
  }
  bool done = false;
  std::exception_ptr failure;
  unsigned runs = 0;

 private:
  struct root {
    struct promise_type : detail::pooled_frame {
      root get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_always initial_suspend() const noexcept { return {}; }
      std::suspend_always final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      void unhandled_exception() const noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> frame;
  };
  static root play(player* self, task<> body) {
    try {
      co_await body;
    } catch (...) {
      self->failure = std::current_exception();
    }
    self->done = true;
  }
  static void run(detail::runnable& r, detail::worker& on) noexcept {
    auto& self = static_cast<player&>(r);
    detail::strand* const outer = std::exchange(on.running, &self);
    ++self.runs;
    if (!std::exchange(self.started_, true)) {
      if (self.frame_) on.resume(self.frame_);
    } else {
      for (unsigned left = 64; left != 0 && self.has_ready(); --left) self.resume_next(self.home());
    }
    if (self.has_ready()) on.schedule(self);
    on.running = outer;
  }

  std::coroutine_handle<root::promise_type> frame_;
  bool started_ = false;
};

}  // namespace troupe::test
