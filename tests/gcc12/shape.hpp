// A coroutine and an awaitable that are as small as they can be, and the verdict on a coroutine's body: right,
// destroyed twice, copied, or never ends.
#pragma once

#include <coroutine>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace shape {

/// Counts constructions and destructions without owning anything that a second destruction could break.
struct counted {
  counted() noexcept { ++alive; }
  explicit counted(int) noexcept { ++alive; }
  counted(const counted&) noexcept { ++alive; }
  counted(counted&&) noexcept { ++alive; }
  counted& operator=(const counted&) = default;
  ~counted() { --alive; }
  static inline int alive = 0;
};

struct aggregate {
  int number = 0;
  counted part = {};
};
struct with_constructor {
  explicit with_constructor(int n) : number(n) {}
  int number;
  counted part;
};
inline aggregate make_aggregate() { return aggregate{1}; }

struct operation {
  explicit operation(int r) : result(r) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  int await_resume() const noexcept { return result; }
  int result;
};
struct counted_operation {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  counted await_resume() const noexcept { return counted(1); }
};
template <class T>
operation by_value(T) {
  return operation(7);
}
template <class T>
operation by_reference(T&&) {
  return operation(7);
}
template <class... T>
int use(T&&...) {
  return 1;
}
inline bool yes() { return true; }

struct coroutine {
  struct promise_type {
    coroutine get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> frame;
};

inline bool copied = false;  // set by a coroutine that finds its awaiter untouched

inline const char* verdict(coroutine (*body)()) {
  counted::alive = 0;
  copied = false;
  const coroutine c = body();
  for (int steps = 0; !c.frame.done() && steps < 100; ++steps) c.frame.resume();
  if (!c.frame.done()) return "never ends";
  c.frame.destroy();
  if (copied) return "copied";
  return counted::alive == 0 ? "right" : "destroyed twice";
}

/// Prints the verdict that all the bodies share, or each body's own.
inline int report(std::initializer_list<coroutine (*)()> bodies) {
  std::string common;
  bool same = true;
  for (const auto body : bodies) {
    const std::string one = verdict(body);
    same = same && (common.empty() || one == common);
    common = same ? one : common + ", " + one;
  }
  std::puts(common.c_str());
  return 0;
}

}  // namespace shape
