// co_await self.yield(): lets the others of this worker run before the actor goes on.
#pragma once

#include <coroutine>
#include <source_location>

#include <troupe/detail/strand.hpp>

namespace troupe {

/// Ends the actor's present run; it goes on in its next, when the other actors of its worker that had something to do have
/// had a run.
class [[nodiscard("co_await it")]] yield_operation {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current()) {
    wait_.suspend(waiter, "yield", at);
    wait_.complete_next_run();
  }
  void await_resume() const noexcept {}
  void cancel() noexcept { wait_.cancel(); }

 private:
  detail::operation wait_;
};

}  // namespace troupe
