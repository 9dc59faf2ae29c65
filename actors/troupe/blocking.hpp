// co_await troupe::blocking(f, args...): runs f(args...) on a thread beside the workers, for calls that block, so that they
// hold up no other actor: a file, a resolver, a library that waits by itself.
//
//   const auto text = co_await troupe::blocking(read_file, path);       // result<std::string>
//
// `f` is a function or a captureless lambda, and its arguments are values, moved or copied for it: when the actor ends or
// gives up the wait meanwhile, the call goes on by itself, and what it returns is dropped. What it throws comes out of the
// co_await. Errors: full (node_options::blocking_calls wait already), stopped (the node is stopping), no_memory.
//
// The node has node_options::blocking_threads of such threads at most, started when they are needed; stopping it waits for
// the calls that run, so a call must end by itself. In a simulation there is nothing beside the workers: `f` runs at once.
// Belongs to the actor that awaits it.
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <troupe/detail/strand.hpp>
#include <troupe/detail/views.hpp>
#include <troupe/give.hpp>
#include <troupe/protocol.hpp>
#include <troupe/result.hpp>

namespace troupe {

namespace detail {

template <class T>
struct argument_of_blocking_is_a_pointer_reference_or_view;
template <class T>
constexpr void check_blocking_argument() {
  if constexpr (holds_view<T>()) compile_error<argument_of_blocking_is_a_pointer_reference_or_view<T>>();
}

/// What is kept of an argument.
template <class A>
using kept_argument = std::decay_t<decltype(unwrap(std::declval<A>()))>;

/// A call on its way: kept by the thread that runs it and by who waits for it.
class call_beside {
 public:
  call_beside() = default;
  call_beside(const call_beside&) = delete;
  call_beside& operator=(const call_beside&) = delete;
  virtual ~call_beside() = default;

  virtual void run() noexcept = 0;
  errc outcome = errc::ok;
  std::exception_ptr failure;
};

template <class R, class F, class... Args>
class call_beside_of final : public call_beside {
 public:
  template <class... From>
  explicit call_beside_of(F f, From&&... from) : function_(f), arguments_(std::forward<From>(from)...) {}

  void run() noexcept override {
    try {
      if constexpr (std::is_void_v<R>) {
        std::apply(function_, std::move(arguments_));
      } else {
        value.emplace(std::apply(function_, std::move(arguments_)));
      }
    } catch (...) {
      failure = std::current_exception();
    }
  }

  std::optional<std::conditional_t<std::is_void_v<R>, std::monostate, R>> value;

 private:
  F function_;
  std::tuple<Args...> arguments_;
};

/// Has it run, and `who` completed on its home worker; or completes it at once, with the call's outcome.
void start_blocking(std::shared_ptr<call_beside> call, operation& who) noexcept;

}  // namespace detail

template <class R, class F, class... Args>
class [[nodiscard("co_await it: a blocking call that is not awaited is not made")]] blocking_operation {
 public:
  explicit blocking_operation(std::shared_ptr<detail::call_beside_of<R, F, Args...>> call) noexcept
      : call_(std::move(call)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current()) {
    wait_.suspend(waiter, "blocking", at);
    detail::start_blocking(call_, wait_);
  }
  result<R> await_resume() {
    if (call_->outcome != errc::ok) return call_->outcome;
    if (call_->failure) std::rethrow_exception(call_->failure);
    if constexpr (std::is_void_v<R>) {
      return {};
    } else {
      return std::move(*call_->value);
    }
  }
  /// The call goes on, if it has begun, and nobody waits for it.
  void cancel() noexcept { wait_.cancel(); }

 private:
  std::shared_ptr<detail::call_beside_of<R, F, Args...>> call_;
  detail::operation wait_;
};

template <class F, class... Args>
auto blocking(F function, Args&&... args) {
  static_assert(std::is_pointer_v<F> || std::is_empty_v<F>,
                "blocking takes a function or a captureless lambda: pass what it needs as arguments");
  detail::check_arguments<Args...>();
  (detail::check_blocking_argument<detail::kept_argument<Args>>(), ...);
  using R = std::invoke_result_t<F, detail::kept_argument<Args>...>;
  using call = detail::call_beside_of<R, F, detail::kept_argument<Args>...>;
  return blocking_operation<R, F, detail::kept_argument<Args>...>(
      std::make_shared<call>(function, detail::unwrap(std::forward<Args>(args))...));
}

}  // namespace troupe
