// troupe::actor: the return type of an actor's coroutine function.
//
//   troupe::actor run_account(troupe::self<account> self, std::int64_t cents) { ... }
//
// The function's first parameter is troupe::self<protocol>; the others are its start arguments, taken by
// value. It is spawned, never called directly. Its locals are the actor's state; the actor lives until it
// returns, throws (the exception's text becomes the exit reason), or is killed.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <source_location>
#include <type_traits>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/views.hpp>
#include <troupe/task.hpp>

namespace troupe {

template <class P>
class self;

class actor {
 public:
  std::coroutine_handle<> frame;
  std::source_location function;  // which made it: its kind
};

namespace detail {

template <class T>
struct actor_parameter_is_a_pointer_reference_or_view;

template <class T>
constexpr void check_actor_parameter() {
  if constexpr (holds_view<T>()) compile_error<actor_parameter_is_a_pointer_reference_or_view<T>>();
}

/// Ends the actor: tells its core how the coroutine ended.
void actor_returned(actor_core& core) noexcept;
void actor_threw(actor_core& core, std::exception_ptr failure) noexcept;

template <class P, class... Args>
struct actor_promise : pooled_frame {
  template <class... Any>
  explicit actor_promise(const self<P>& me, Any&...) noexcept : core(me.core()) {}

  // The default argument is evaluated in the function whose frame this is.
  actor get_return_object(std::source_location function = std::source_location::current()) noexcept {
    (check_actor_parameter<Args>(), ...);
    return actor{std::coroutine_handle<actor_promise>::from_promise(*this), function};
  }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  std::suspend_always final_suspend() const noexcept {
    actor_returned(*core);  // unless it threw: the first reason counts
    return {};
  }
  void return_void() const noexcept {}
  void unhandled_exception() const noexcept { actor_threw(*core, std::current_exception()); }

  actor_core* core;
};

template <class Lambda>
struct an_actor_must_be_a_function_or_captureless_lambda;

/// Lambda: const Closure&. The closure is incomplete until its body has been compiled, so only a function
/// that is instantiated later may ask whether it is empty.
template <class Lambda, class P, class... Args>
struct lambda_actor_promise : actor_promise<P, Args...> {
  template <class... Any>
  explicit lambda_actor_promise(Lambda, const self<P>& me, Any&...) noexcept
      : actor_promise<P, Args...>(me) {}
  using actor_promise<P, Args...>::actor_promise;  // clang does not hand the closure to the promise
  actor get_return_object(std::source_location function = std::source_location::current()) noexcept {
    if constexpr (!std::is_empty_v<std::remove_cvref_t<Lambda>>) {
      compile_error<an_actor_must_be_a_function_or_captureless_lambda<Lambda>>();
    }
    (check_actor_parameter<Args>(), ...);
    return actor{std::coroutine_handle<lambda_actor_promise>::from_promise(*this), function};
  }
};

}  // namespace detail
}  // namespace troupe

template <class P, class... Args>
struct std::coroutine_traits<troupe::actor, troupe::self<P>, Args...> {
  using promise_type = troupe::detail::actor_promise<P, Args...>;
};
template <class Lambda, class P, class... Args>
struct std::coroutine_traits<troupe::actor, Lambda, troupe::self<P>, Args...> {
  using promise_type = troupe::detail::lambda_actor_promise<Lambda, P, Args...>;
};
