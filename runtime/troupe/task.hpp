// troupe::task<T>: a lazily started coroutine that returns a T to the one coroutine that awaits it.
//
//   troupe::task<int> twice(int x) { co_return 2 * x; }
//   int y = co_await twice(21);
//
// A task starts when it is awaited (a handler's at once), runs in its awaiter's actor, and hands an exception on to the awaiter.
// Destroying a task that has not finished destroys its frame, and with it whatever it waits for. Starting and
// returning go through the worker (worker::resume), so deep chains use no stack. Frames come from the
// worker's pools. Not thread-safe; a task belongs to one actor.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/worker.hpp>

namespace troupe {

template <class T = void>
class task;

namespace detail {

template <class T>
class begun_task;

/// operator new and delete for coroutine frames; inherited by every promise.
struct pooled_frame {
  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { pool_release(block, bytes); }
};

struct task_promise_base : pooled_frame {
  struct return_to_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      current_worker->continue_with(self.promise().awaiter);
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  return_to_awaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }

  std::coroutine_handle<> awaiter = nullptr;
  std::exception_ptr failure;
};

template <class T>
struct task_promise : task_promise_base {
  task<T> get_return_object() noexcept;
  template <class U>
    requires std::is_convertible_v<U&&, T>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  T take() {
    if (failure) std::rethrow_exception(failure);
    return std::move(*value);
  }
  std::optional<T> value;
};

template <>
struct task_promise<void> : task_promise_base {
  task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const {
    if (failure) std::rethrow_exception(failure);
  }
};

}  // namespace detail

template <class T>
class [[nodiscard("a task does nothing until it is awaited")]] task {
 public:
  using promise_type = detail::task_promise<T>;
  using value_type = T;
  static_assert(!std::is_reference_v<T>, "a task returns a value: return a pointer or a ref instead");

  task(task&& o) noexcept : frame_(std::exchange(o.frame_, nullptr)) {}
  task& operator=(task&& o) noexcept {
    std::swap(frame_, o.frame_);
    return *this;
  }
  ~task() { cancel(); }

  /// Ends it where it is: its frame is destroyed, and with it whatever it waits for.
  void cancel() noexcept {
    if (frame_) std::exchange(frame_, nullptr).destroy();
  }

  auto operator co_await() noexcept {
    struct awaiter {
      std::coroutine_handle<promise_type> frame;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> caller) const noexcept {
        TROUPE_ASSERT(frame && !frame.promise().awaiter, "await a task once");
        frame.promise().awaiter = caller;
        detail::current_worker->continue_with(frame);
      }
      T await_resume() const { return frame.promise().take(); }
    };
    return awaiter{frame_};
  }

 private:
  friend promise_type;
  friend class detail::begun_task<T>;
  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

/// A task that is begun where no coroutine awaits it; most are done at once, and need none. Not inside worker::resume.
template <class T>
class detail::begun_task {
 public:
  explicit begun_task(task<T>&& t) : task_(std::move(t)) { current_worker->resume(task_.frame_); }
  bool done() const noexcept { return task_.frame_.done(); }
  T take() const { return task_.frame_.promise().take(); }
  /// co_await it: until one that was not done is done.
  auto rest() const noexcept {
    struct awaiter {
      std::coroutine_handle<task_promise<T>> frame;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> caller) const noexcept { frame.promise().awaiter = caller; }
      void await_resume() const noexcept {}
    };
    return awaiter{task_.frame_};
  }

 private:
  task<T> task_;
};

template <class T>
task<T> detail::task_promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
}
inline task<void> detail::task_promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<task_promise>::from_promise(*this));
}

}  // namespace troupe
