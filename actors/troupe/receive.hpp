// The awaitables behind self.receive(handlers...) and self.serve(handlers...).
//
// Handlers are lambdas, one for each message of the protocol: `[&](deposit d) {...}`. A handler of a request
// returns the reply, or task<reply>; any handler may return a task, and the mailbox waits while it runs.
// Which handler takes which message, and what it returns, is checked at compile time. Handlers must be
// trivially destructible (capture by reference): GCC 12 would destroy others twice.
//
// A handler that throws fails the asker with handler_failed; the exception goes on into the actor's
// coroutine.
#pragma once

#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/message.hpp>
#include <troupe/protocol.hpp>
#include <troupe/task.hpp>

namespace troupe::detail {

template <class... Hs>
struct overload : Hs... {
  using Hs::operator()...;
};
template <class... Hs>
overload(Hs...) -> overload<Hs...>;

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

template <class T>
struct task_result {
  using type = T;
};
template <class T>
struct task_result<task<T>> {
  using type = T;
};

/// Says what is wrong with the handler of M, if anything is. What follows must depend on the answer: GCC reports the
/// errors of that first.
template <class Handlers, class M>
constexpr bool handler_fits() {
  if constexpr (!std::is_invocable_v<Handlers&, M>) {
    compile_error<no_handler_for<M>>();
    return false;
  } else {
    using R = typename task_result<std::invoke_result_t<Handlers&, M>>::type;
    if constexpr (!request<M>) {
      if constexpr (!std::is_void_v<R>) compile_error<handler_returns_a_value_but_this_is_no_request<M>>();
      return std::is_void_v<R>;
    } else {
      using wanted = reply_of<M>;
      constexpr bool fits =
          std::is_void_v<wanted> ? std::is_void_v<R> : !std::is_void_v<R> && std::is_convertible_v<R, wanted>;
      if constexpr (!fits) compile_error<handler_does_not_return_the_reply_of<M>>();
      return fits;
    }
  }
}

/// Answers the request in `e` and frees it: with the value that `make` returns, or with `why`.
void answer_void(envelope* e) noexcept;
void answer_failure(envelope* e, error why) noexcept;
receipt* answer_begin(envelope* e) noexcept;  // null: nobody waits any more
void answer_end(envelope* e, receipt* r) noexcept;
void finish(envelope* e) noexcept;  // of a message that is no request

template <class M, class V>
void answer(envelope* e, V&& value) {
  if (receipt* const r = answer_begin(e)) {
    ::new (r->storage()) reply_of<M>(std::forward<V>(value));
    r->has_value = true;
    answer_end(e, r);
  } else {
    finish(e);
  }
}

class receive_base : public receiver {
 protected:
  explicit receive_base(function f) noexcept : receiver(f) {}
  ~receive_base() {
    if (handler_) handler_.destroy();
  }

  struct handler_frame {
    struct promise_type : pooled_frame {
      handler_frame get_return_object() noexcept {
        return {std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      std::suspend_always initial_suspend() const noexcept { return {}; }
      std::suspend_always final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> frame;
  };

  /// Runs in the middle of a message: starts a handler's coroutine. The mailbox waits for it.
  void start(handler_frame h) noexcept {
    if (handler_) handler_.destroy();  // the one before, which has ended
    handler_ = h.frame;
    current_worker->resume(handler_);
  }

  void await_suspend_in_mailbox(std::coroutine_handle<> waiter);

  std::exception_ptr failure_;
  std::coroutine_handle<handler_frame::promise_type> handler_ = nullptr;
  envelope* handling_ = nullptr;  // by the running handler coroutine; discarded with it
  bool synchronous_ = false;      // inside take(): a handler that ends now needs no wake-up

  void discard_handling() noexcept;
};

/// P: the protocol. Once: receive (one message), else serve. Handlers: the overload set.
template <class P, bool Once, class Handlers>
class receive_operation : public receive_base {
 public:
  explicit receive_operation(Handlers h) : receive_base(&take_any), handlers_(h) {
    static_assert(std::is_trivially_destructible_v<Handlers>,
                  "handlers must be trivially destructible: capture by reference");
  }
  ~receive_operation() { discard_handling(); }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) { await_suspend_in_mailbox(waiter); }
  /// ok, or errc::stopped when the actor was asked to stop.
  result<void> await_resume() {
    if (failure_) std::rethrow_exception(failure_);
    if (stop_seen) return errc::stopped;
    return {};
  }

 private:
  static step take_any(receiver& self, envelope* e) noexcept {
    return static_cast<receive_operation&>(self).dispatch(e, static_cast<P*>(nullptr));
  }

  template <class... Ms>
  step dispatch(envelope* e, protocol<Ms...>*) noexcept {
    step next = step::again;
    const bool known = ((e->type == &value_type_of<Ms> && ((next = handle<Ms>(e)), true)) || ...);
    TROUPE_ASSERT(known, "a message outside the protocol reached a mailbox");
    return next;
  }

  template <class M>
  step handle(envelope* e) noexcept {
    if constexpr (!handler_fits<Handlers, M>()) {
      return step::done;
    } else if constexpr (is_task<std::invoke_result_t<Handlers&, M>>) {
      handling_ = e;
      synchronous_ = true;
      start(run_handler<M>(*this, e));
      synchronous_ = false;
      return handling_ != nullptr ? step::busy : after();
    } else {
      try {
        call<M>(e);
      } catch (...) {
        fail(e);
      }
      return after();
    }
  }

  template <class M>
  void call(envelope* e) {
    M& message = *static_cast<M*>(e->message());
    if constexpr (!request<M>) {
      handlers_(std::move(message));
      finish(e);
    } else if constexpr (std::is_void_v<reply_of<M>>) {
      handlers_(std::move(message));
      answer_void(e);
    } else {
      answer<M>(e, handlers_(std::move(message)));
    }
  }

  template <class M>
  static handler_frame run_handler(receive_operation& self, envelope* e) {
    try {
      M& message = *static_cast<M*>(e->message());
      auto body = self.handlers_(std::move(message));
      if constexpr (!request<M>) {
        co_await body;
        finish(e);
      } else if constexpr (std::is_void_v<reply_of<M>>) {
        co_await body;
        answer_void(e);
      } else {
        auto value = co_await body;
        answer<M>(e, std::move(value));
      }
    } catch (...) {
      self.fail(e);
    }
    self.handling_ = nullptr;
    if (!self.synchronous_) self.owner_core().resume_receiving(self, self.after());
  }

  void fail(envelope* e) noexcept {
    failure_ = std::current_exception();
    answer_failure(e, errc::handler_failed);
  }

  step after() const noexcept { return Once || failure_ ? step::done : step::again; }
  actor_core& owner_core() const noexcept { return *static_cast<actor_core*>(owner()); }

  Handlers handlers_;
};

}  // namespace troupe::detail
