// The awaitables behind self.receive(handlers...) and self.serve(handlers...).
//
// Handlers are lambdas, one for each message of the protocol: `[&](deposit d) {...}`. A handler of a request
// returns the reply, or result<reply>, with whose error the ask then fails; or it takes a replier as well and returns
// nothing: then the answer may come later, from elsewhere (replier.hpp). Any handler may return a task of that: serve waits
// for it before the next message, unless it was told to interleave. Which handler takes which message, and what it returns,
// is checked at compile time. Handlers must be trivially destructible (capture by reference): GCC 12 would destroy others
// twice.
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
#include <troupe/detail/receive_within.hpp>
#include <troupe/detail/receiver.hpp>
#include <troupe/protocol.hpp>
#include <troupe/replier.hpp>
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

/// What a handler is called with.
template <class M>
struct message_alone {
  template <class Handlers>
  using result = std::invoke_result<Handlers&, M>;
};
template <class M>
struct message_and_replier {
  template <class Handlers>
  using result = std::invoke_result<Handlers&, M, replier<reply_of<M>>>;
};

template <class Handlers, class M>
inline constexpr bool takes_replier = false;
template <class Handlers, request M>
inline constexpr bool takes_replier<Handlers, M> =
    !std::is_invocable_v<Handlers&, M> && std::is_invocable_v<Handlers&, M, replier<reply_of<M>>>;

template <class Handlers, class M>
using handler_result = typename std::conditional_t<takes_replier<Handlers, M>, message_and_replier<M>,
                                                   message_alone<M>>::template result<Handlers>::type;

template <class R>
struct of_result {};
template <class T>
struct of_result<result<T>> {
  using type = T;
};
/// A handler that returns R gives either the reply or the error with which the ask is to fail.
template <class R, class Reply>
inline constexpr bool may_refuse = false;
template <class R, class Reply>
  requires requires { typename of_result<R>::type; }
inline constexpr bool may_refuse<R, Reply> =
    !std::is_convertible_v<R, Reply> && std::is_convertible_v<typename of_result<R>::type, Reply>;

/// Says what is wrong with the handler of M, if anything is. What follows must depend on the answer: GCC reports the
/// errors of that first.
template <class Handlers, class M>
constexpr bool handler_fits() {
  if constexpr (takes_replier<Handlers, M>) {
    using R = typename task_result<handler_result<Handlers, M>>::type;
    if constexpr (!std::is_void_v<R>) compile_error<handler_answers_twice<M>>();
    return std::is_void_v<R>;
  } else if constexpr (!std::is_invocable_v<Handlers&, M>) {
    compile_error<no_handler_for<M>>();
    return false;
  } else {
    using R = typename task_result<handler_result<Handlers, M>>::type;
    if constexpr (!request<M>) {
      if constexpr (!std::is_void_v<R>) compile_error<handler_returns_a_value_but_this_is_no_request<M>>();
      return std::is_void_v<R>;
    } else {
      using wanted = reply_of<M>;
      constexpr bool fits = may_refuse<R, wanted> ||
                            (std::is_void_v<wanted> ? std::is_void_v<R> : std::is_convertible_v<R, wanted>);
      if constexpr (!fits) compile_error<handler_does_not_return_the_reply_of<M>>();
      return fits;
    }
  }
}

template <class Handlers, class M>
constexpr bool handler_may_wait() {
  if constexpr (takes_replier<Handlers, M> || std::is_invocable_v<Handlers&, M>) {
    return is_task<handler_result<Handlers, M>>;
  } else {
    return false;  // handler_fits says what is wrong
  }
}

template <class H, class M>
inline constexpr bool handles =
    std::is_invocable_v<H&, M&> || std::is_invocable_v<H&, M> || takes_replier<H, M>;

/// What a handler takes, where its type tells (it is no template).
template <class H>
struct handled_message {
  using type = H;
};
template <class R, class C, class A, class... More>
struct handled_message<R (C::*)(A, More...) const> {
  using type = std::remove_cvref_t<A>;
};
template <class H>
  requires requires { &H::operator(); }
struct handled_message<H> : handled_message<decltype(&H::operator())> {};

/// Names the handlers that no message of the protocol can ever reach.
template <class H, class... Ms>
constexpr void check_handler_is_used() {
  if constexpr (!(handles<H, Ms> || ...))
    compile_error<handler_for_a_message_outside_the_protocol<typename handled_message<H>::type>>();
}
template <class... Ms, class... Hs>
constexpr void check_handlers_are_used(protocol<Ms...>*, overload<Hs...>*) {
  (check_handler_is_used<Hs, Ms...>(), ...);
}
constexpr void check_handlers_are_used(void*, void*) {}

template <class Handlers, class P>
inline constexpr bool a_handler_may_wait = false;
template <class Handlers, class... Ms>
inline constexpr bool a_handler_may_wait<Handlers, protocol<Ms...>> =
    (handler_may_wait<Handlers, Ms>() || ...);

/// Answers the request in `e` and frees it: with the value that `make` returns, or with `why`.
void answer_void(envelope* e) noexcept;
void answer_failure(envelope* e, error why) noexcept;

template <class M, class V>
void answer(envelope* e, V&& value) {
  if constexpr (may_refuse<std::remove_cvref_t<V>, reply_of<M>>) {
    if (!value) {
      answer_failure(e, value.error());
    } else if constexpr (std::is_void_v<reply_of<M>>) {
      answer_void(e);
    } else {
      answer<M>(e, *std::forward<V>(value));
    }
    return;
  } else {
    replier<reply_of<M>> reply(take_receipt(e));
    reply.reply(std::forward<V>(value));
    finish_as<M>(e);
  }
}

/// A handler that is a task throws it before it has waited or touched its message: that goes back to the front of the mailbox.
/// The serve ends with it, and what other handlers have under way fails with `why`.
struct not_taken {
  errc why;
};

struct handler_frame {
  struct promise_type : running_handler {
    template <class Body>
    promise_type(receiver& r, envelope* e, const Body&) noexcept : running_handler(r, e) {}
    handler_frame get_return_object() noexcept {
      frame = std::coroutine_handle<promise_type>::from_promise(*this);
      return {this};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    auto final_suspend() const noexcept {
      struct leave {
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<promise_type> self) const noexcept {
          running_handler& h = self.promise();
          h.of->ended(h);  // destroys the frame, and this with it
        }
        void await_resume() const noexcept {}
      };
      return leave();
    }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
  running_handler* running;
};

/// Takes the messages of protocol P with an overload set of handlers.
template <class P, class Handlers>
class handling_receiver : public receiver {
 public:
  handling_receiver(Handlers h, bool takes_one, unsigned handlers_at_a_time)
      : receiver(&take_any, takes_one, handlers_at_a_time), handlers_(h) {
    static_assert(std::is_trivially_destructible_v<Handlers>,
                  "handlers must be trivially destructible: capture by reference");
    check_handlers_are_used(static_cast<P*>(nullptr), static_cast<Handlers*>(nullptr));
  }

 private:
  static void take_any(receiver& self, envelope* e) noexcept {
    static_cast<handling_receiver&>(self).dispatch(e, static_cast<P*>(nullptr));
  }

  template <class... Ms>
  void dispatch(envelope* e, protocol<Ms...>*) noexcept {
    const bool known = ((e->type == &value_type_of<Ms> && (handle<Ms>(e), true)) || ...);
    TROUPE_ASSERT(known, "a message outside the protocol reached a mailbox");
  }

  template <class M>
  void handle(envelope* e) noexcept {
    if constexpr (handler_fits<Handlers, M>()) {
      if constexpr (is_task<handler_result<Handlers, M>>) {
        begin<M>(e);
      } else {
        try {
          call<M>(e);
        } catch (...) {
          fail_for_all(e);
        }
      }
    }
  }

  /// What the handler returns: the reply, a task, or nothing.
  template <class M>
  decltype(auto) invoke(envelope* e) {
    M& message = *static_cast<M*>(e->message());
    if constexpr (takes_replier<Handlers, M>) {
      return handlers_(std::move(message), replier<reply_of<M>>(hand_on(e)));
    } else {
      return handlers_(std::move(message));
    }
  }

  template <class M>
  void call(envelope* e) {
    if constexpr (!request<M> || takes_replier<Handlers, M>) {
      invoke<M>(e);
      finish_as<M>(e);
    } else if constexpr (std::is_void_v<handler_result<Handlers, M>>) {
      invoke<M>(e);
      answer_void(e);
    } else {
      answer<M>(e, invoke<M>(e));
    }
  }

  template <class M>
  using begun = begun_task<typename task_result<handler_result<Handlers, M>>::type>;

  /// A handler that does not wait needs no coroutine but its own.
  template <class M>
  void begin(envelope* e) noexcept {
    try {
      begun<M> body(invoke<M>(e));
      if (body.done()) {
        end<M>(e, body);
      } else {
        start(*run_handler<M>(*this, e, std::move(body)).running);
      }
    } catch (const not_taken& n) {
      failure = std::current_exception();
      static_cast<actor_core*>(owner())->put_back(e);
      drop_all(n.why);
    } catch (...) {
      fail_for_all(e);
    }
  }

  template <class M>
  static void end(envelope* e, const begun<M>& body) {
    if constexpr (!request<M> || takes_replier<Handlers, M>) {
      body.take();
      finish_as<M>(e);
    } else if constexpr (std::is_void_v<typename task_result<handler_result<Handlers, M>>::type>) {
      body.take();
      answer_void(e);
    } else {
      answer<M>(e, body.take());
    }
  }

  template <class M>
  static handler_frame run_handler(handling_receiver& self, envelope* e, begun<M> body) {
    try {
      co_await body.rest();
      end<M>(e, body);
    } catch (...) {
      self.fail(e);
    }
  }

  void fail(envelope* e) noexcept {
    failure = std::current_exception();
    answer_failure(e, errc::handler_failed);
  }
  /// Outside the handlers' coroutines: the actor fails, and nobody waits for them.
  void fail_for_all(envelope* e) noexcept {
    fail(e);
    drop_all();
  }

  Handlers handlers_;
};

}  // namespace troupe::detail

namespace troupe {

/// co_await: result<void>: ok, or errc::stopped when the actor was asked to stop.
template <class P, class Handlers>
class [[nodiscard("co_await it")]] serve_operation : private detail::handling_receiver<P, Handlers> {
 public:
  serve_operation(Handlers h, bool takes_one, unsigned handlers_at_a_time)
      : detail::handling_receiver<P, Handlers>(h, takes_one, handlers_at_a_time) {}

  using detail::handling_receiver<P, Handlers>::cancel;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current()) {
    this->await_in_mailbox(waiter, at);
  }
  result<void> await_resume() {
    if (this->failure) std::rethrow_exception(this->failure);
    if (this->ended_by != errc::ok) return this->ended_by;
    return {};
  }

 protected:
  detail::receiver& base() noexcept { return *this; }
};

/// As serve, for one message; .within(d) gives errc::expired when none has come by then.
template <class P, class Handlers>
class [[nodiscard("co_await it")]] receive_operation : public serve_operation<P, Handlers> {
 public:
  explicit receive_operation(Handlers h) : serve_operation<P, Handlers>(h, true, 1) {}
  bool await_ready(std::source_location at = std::source_location::current()) noexcept {
    if constexpr (detail::a_handler_may_wait<Handlers, P>) return false;
    detail::worker* const here = detail::current_worker;
    if (here == nullptr || here->running == nullptr) return false;
    auto& me = static_cast<detail::actor_core&>(*here->running);
    return !me.plainly_has_none() && me.receive_at_once(*here, this->base(), at);
  }
  auto within(duration d) noexcept {
    return detail::receive_within<receive_operation>(*this, this->base(), d);
  }
};

}  // namespace troupe
