// troupe::self<P>: what an actor's coroutine has of itself. Move-only; it asserts that its own actor uses it.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include <troupe/cell.hpp>
#include <troupe/detail/timed_send.hpp>
#include <troupe/down.hpp>
#include <troupe/receive.hpp>
#include <troupe/selective.hpp>
#include <troupe/sleep.hpp>
#include <troupe/spawn.hpp>
#include <troupe/yield.hpp>

namespace troupe {

namespace detail {
void monitor(actor_core& watcher, const address& whom);
node& node_of(actor_core& core) noexcept;
void stop_self(actor_core& core) noexcept;
void link(actor_core& one, const address& other);
void unlink(actor_core& one, const address& other) noexcept;
result<bulk_buffer> loan(node_core& node, std::size_t size);

template <class Message>
struct message_is_not_in_the_protocol_of_this_actor;
template <class Watcher>
struct to_monitor_add_troupe_down_to_the_protocol_of;
}  // namespace detail

/// How many handlers serve may have under way at a time.
struct interleave {
  explicit constexpr interleave(unsigned most) noexcept : handlers(most) {}
  unsigned handlers;
};

/// Names what send_after or every began, for cancel.
struct timer_id {
  std::uint64_t number = 0;
};

template <class P>
class self {
 public:
  using accepts = detail::as_protocol_t<P>;

  explicit self(detail::actor_core& core) noexcept : core_(&core) {}
  self(self&& o) noexcept : core_(std::exchange(o.core_, nullptr)) {}
  self& operator=(self&& o) noexcept {
    core_ = std::exchange(o.core_, nullptr);
    return *this;
  }

  ref<accepts> me() const noexcept { return detail::ref_to<accepts>(mine().self()); }
  troupe::node& node() const noexcept { return detail::node_of(mine()); }

  /// Takes one message. co_await it: result<void>, errc::stopped once the actor was asked to stop; with
  /// .within(d), errc::expired when none came in time.
  template <class... Handlers>
    requires(sizeof...(Handlers) > 0)
  auto receive(Handlers... handlers) const {
    mine();
    return receive_operation<accepts, detail::overload<Handlers...>>({handlers...});
  }
  /// Takes the first message of type M and leaves the others in place (selective.hpp).
  template <class M>
  auto receive() const {
    if constexpr (!troupe::accepts<accepts, M>) {
      detail::compile_error<detail::message_is_not_in_the_protocol_of_this_actor<M>>();
    }
    mine();
    return selective_receive<M>();
  }
  /// Takes messages until the actor is asked to stop. co_await it: result<void>.
  template <class... Handlers>
  auto serve(Handlers... handlers) const {
    return serve_at_most(1, handlers...);
  }
  /// As serve, with up to `together.handlers` handlers under way at a time: while one that is a task waits, the next message
  /// is taken. Messages still start in order. After a stop it returns when all of them have ended.
  template <class... Handlers>
  auto serve(interleave together, Handlers... handlers) const {
    TROUPE_ASSERT(together.handlers > 0, "interleave at least one handler");
    return serve_at_most(together.handlers, handlers...);
  }

  /// Starts a child: it ends with this actor. A default ref if the node is at its limit of actors.
  template <class F, class... Args>
    requires(!detail::class_actor<F>)
  auto spawn(F function, Args&&... args) const {
    return spawn(spawn_options{}, function, std::forward<Args>(args)...);
  }
  template <class F, class... Args>
    requires(!detail::class_actor<F>)
  auto spawn(const spawn_options& options, F function, Args&&... args) const {
    actor_core_ref core = mine();
    return detail::spawn_actor(core.node(), &core, options, function, std::forward<Args>(args)...);
  }
  /// The same for a class (class_actor.hpp).
  template <detail::class_actor T, class... Args>
    requires(!detail::begins_with_options<Args...>)
  auto spawn(Args&&... args) const {
    return spawn<T>(spawn_options{}, std::forward<Args>(args)...);
  }
  template <detail::class_actor T, class... Args>
  auto spawn(const spawn_options& options, Args&&... args) const {
    return spawn(options, &detail::run_class<T, std::decay_t<detail::unwrapped<Args>>...>,
                 std::forward<Args>(args)...);
  }

  /// Asks for a troupe::down when that actor ends, wherever it lives. Sets aside what the DOWN needs; throws std::bad_alloc if
  /// there is no memory for it.
  template <class Q>
  void monitor(const ref<Q>& whom) const {
    if constexpr (!troupe::accepts<accepts, down>) {
      detail::compile_error<detail::to_monitor_add_troupe_down_to_the_protocol_of<accepts>>();
    }
    detail::monitor(mine(), detail::address_of(whom));
  }

  /// Takes every monitor of that actor back: no DOWN of it comes any more, unless its end has begun.
  template <class Q>
  void demonitor(const ref<Q>& whom) const noexcept {
    mine().unwatch(detail::address_of(whom));
  }

  /// How much of its time the request that is being served has left; nothing when there is none, or no deadline.
  std::optional<duration> remaining() const noexcept { return until(mine().home().work_deadline); }
  /// The same of a request that was taken by receive<M>() or by a handler with a replier. Nothing inherits its deadline,
  /// for the actor may have several: give what is left to .within().
  template <class R>
  std::optional<duration> remaining(const replier<R>& request) const noexcept {
    return until(request.deadline());
  }

  /// Ties the lives of this actor and that one, wherever it lives: when either ends in any way but by returning or by
  /// a stop, the other is killed too (exit_kind::linked; the text says why). An actor that is dead already, and the
  /// loss of the link to its node, count as such an end. To link twice is to link once.
  template <class Q>
  void link(const ref<Q>& other) const {
    detail::link(mine(), detail::address_of(other));
  }
  template <class Q>
  void unlink(const ref<Q>& other) const noexcept {
    detail::unlink(mine(), detail::address_of(other));
  }

  /// How this actor looks after its children that restart (supervise.hpp), from now on and for this life.
  void supervise(const supervision& policy) const { detail::supervise(mine(), policy); }

  /// Lets the others of its worker run first. For long computations: an actor has its worker until it waits.
  yield_operation yield() const noexcept { return yield_operation(); }
  /// Waits at least `d` (resolution 65 µs); for zero it does not wait at all.
  sleep_operation sleep(duration d) const noexcept { return sleep_operation(d); }

  /// Sends M(args...) to `to` in `d`, as try_send does: a target without room is counted (accounting::refused). Ends with
  /// this actor.
  template <class M, class Q, class... Args>
  timer_id send_after(duration d, const ref<Q>& to, Args&&... args) const {
    return send_timed<M>(duration::zero(), d, to, std::forward<Args>(args)...);
  }
  /// The same, again and again: first in `d`, then every `d` (more than zero), until the target is seen to have ended. A tick
  /// that this actor's worker was too busy for is left out.
  template <class M, class Q, class... Args>
  timer_id every(duration d, const ref<Q>& to, Args&&... args) const {
    static_assert(std::is_copy_constructible_v<M>, "a message that is sent again and again is copied");
    TROUPE_ASSERT(d > duration::zero(), "every: a period is more than zero");
    return send_timed<M>(d, d, to, std::forward<Args>(args)...);
  }
  /// False if it was sent already (for the last time), or was cancelled.
  bool cancel(timer_id timer) const noexcept { return detail::end_timed_send(mine(), timer.number); }

  /// As node::loan: memory to write what many are to read (bulk.hpp).
  result<bulk_buffer> loan(std::size_t size) const { return detail::loan(mine().node(), size); }

  /// As node::make_cell: a value that others read without a message (cell.hpp).
  template <cell_value T>
  result<cell<T>> make_cell(const T& first) const {
    return detail::cell_in(loan(detail::cell_bytes<T>), first);
  }

  /// Asks this actor to stop: its mailbox closes, and serve returns after the current handler.
  void stop() const noexcept { detail::stop_self(mine()); }
  bool stopping() const noexcept { return mine().stopping(); }

  detail::actor_core* core() const noexcept { return core_; }

 private:
  std::optional<duration> until(instant deadline) const noexcept {
    if (deadline == instant{}) return std::nullopt;
    return std::max(deadline - mine().home().now(), duration::zero());
  }
  using actor_core_ref = detail::actor_core&;

  template <class M, class Q, class... Args>
  timer_id send_timed(duration period, duration first, const ref<Q>& to, Args&&... args) const {
    detail::check_arguments<Args...>();
    return {detail::begin_timed_send(mine(),
                                     std::make_unique<detail::timed_send_of<Q, M>>(
                                         period, to, detail::build_message<M>(std::forward<Args>(args)...)),
                                     first)};
  }

  template <class... Handlers>
  auto serve_at_most(unsigned handlers_at_a_time, Handlers... handlers) const {
    mine();
    return serve_operation<accepts, detail::overload<Handlers...>>({handlers...}, false, handlers_at_a_time);
  }

  detail::actor_core& mine() const noexcept {
    TROUPE_ASSERT(
        core_ != nullptr && detail::current_worker != nullptr && detail::current_worker->running == core_,
        "use self only inside its own actor, and not after it was moved from");
    return *core_;
  }

  detail::actor_core* core_;
};

}  // namespace troupe
