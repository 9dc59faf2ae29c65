// A branch: a coroutine that awaits one thing on behalf of a coroutine that waits for several.
//
// A branch is started by the strand, as an operation that is complete at once, and it goes on with its group's
// waiter through worker::continue_with: selects and when_alls that await each other use no stack however deep
// they are. It may be destroyed at any suspension, and before it has started.
//
// A group is what branches report to:
//   role<A>              what a wait in the branch of an A means to the group's waiter
//   keep(index, value)   the branch's result (std::monostate for void)
//   failed()             inside a catch block: it threw instead
//   ended(index)         last, after either; the group may destroy the other branches, not this one
#pragma once

#include <algorithm>
#include <coroutine>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>
#include <variant>

#include <troupe/detail/awaited_in_place.hpp>
#include <troupe/detail/strand.hpp>
#include <troupe/task.hpp>

namespace troupe::detail {

template <class A>
decltype(auto) awaiter_of(A& a) {
  if constexpr (requires { a.operator co_await(); }) {
    return a.operator co_await();
  } else if constexpr (requires { operator co_await(a); }) {
    return operator co_await(a);
  } else {
    return (a);
  }
}

template <class T>
using value_or_monostate = std::conditional_t<std::is_void_v<T>, std::monostate, std::remove_cvref_t<T>>;
template <class A>
using await_result = decltype(awaiter_of(std::declval<A&>()).await_resume());
template <class A>
using await_value = value_or_monostate<await_result<A>>;

/// Awaiting it runs code of its own: a task, or another's awaitable that may be anything.
template <class A>
inline constexpr bool runs_code =
    requires(A& a) { a.operator co_await(); } || requires(A& a) { operator co_await(a); };

/// Who goes on when a group ends.
class group_waiter {
 public:
  void suspend(std::coroutine_handle<> frame) noexcept {
    frame_ = frame;
    role_ = current_worker->running->role;
  }
  /// Called by the branch that ends the group.
  void go_on() const noexcept {
    current_worker->running->role = role_;
    current_worker->continue_with(frame_);
  }
  explicit operator bool() const noexcept { return static_cast<bool>(frame_); }

 private:
  std::coroutine_handle<> frame_ = nullptr;
  wait_role role_ = wait_role::alone;
};

class branch {
 public:
  struct promise_type : pooled_frame {
    branch get_return_object() noexcept {
      return branch(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

    operation start;
  };

  branch() noexcept = default;
  branch(branch&& o) noexcept : frame_(std::exchange(o.frame_, nullptr)) {}
  branch& operator=(branch&& o) noexcept {
    std::swap(frame_, o.frame_);
    return *this;
  }
  ~branch() { destroy(); }

  void start(wait_role in_group) {
    operation& s = frame_.promise().start;
    strand& mine = *current_worker->running;
    const wait_role outer = std::exchange(mine.role, std::max(mine.role, in_group));
    s.suspend(frame_, "its turn", std::source_location());
    s.complete();
    mine.role = outer;
  }
  void destroy() noexcept {
    if (frame_) std::exchange(frame_, nullptr).destroy();
  }

 private:
  explicit branch(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_ = nullptr;
};

/// Index: std::size_t, or a std::integral_constant where the result's type depends on it.
template <class Group, class A, class Index>
branch run_branch(Group& group, A& awaited, Index index, std::source_location at) {
  try {
    decltype(auto) awaiter = awaiter_of(awaited);
    if constexpr (std::is_void_v<await_result<A>>) {
      co_await awaited_in_place(awaiter, at);
      group.keep(index, std::monostate());
    } else {
      auto value = co_await awaited_in_place(awaiter, at);
      group.keep(index, std::move(value));
    }
  } catch (...) {
    group.failed();
  }
  group.ended(index);
}

}  // namespace troupe::detail
