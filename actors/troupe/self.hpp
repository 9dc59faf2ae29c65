// troupe::self<P>: what an actor's coroutine has of itself. Move-only; it asserts that its own actor uses it.
#pragma once

#include <utility>

#include <troupe/down.hpp>
#include <troupe/receive.hpp>
#include <troupe/sleep.hpp>
#include <troupe/spawn.hpp>

namespace troupe {

namespace detail {
void monitor(actor_core& watcher, const address& whom);
node& node_of(actor_core& core) noexcept;
void stop_self(actor_core& core) noexcept;

template <class Watcher>
struct to_monitor_add_troupe_down_to_the_protocol_of;
}  // namespace detail

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

  /// Takes one message. co_await it: result<void>, errc::stopped once the actor was asked to stop.
  template <class... Handlers>
  auto receive(Handlers... handlers) const {
    return operation<true>(detail::overload{handlers...});
  }
  /// Takes messages until the actor is asked to stop. co_await it: result<void>.
  template <class... Handlers>
  auto serve(Handlers... handlers) const {
    return operation<false>(detail::overload{handlers...});
  }

  /// Starts a child: it ends with this actor. A default ref if the node is at its limit of actors.
  template <class F, class... Args>
  auto spawn(F function, Args&&... args) const {
    return spawn(spawn_options{}, function, std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  auto spawn(const spawn_options& options, F function, Args&&... args) const {
    actor_core_ref core = mine();
    return detail::spawn_actor(core.node(), &core, options, function, std::forward<Args>(args)...);
  }

  /// Asks for a troupe::down when that actor ends, wherever it lives.
  template <class Q>
  void monitor(const ref<Q>& whom) const {
    if constexpr (!troupe::accepts<accepts, down>) {
      detail::compile_error<detail::to_monitor_add_troupe_down_to_the_protocol_of<accepts>>();
    }
    detail::monitor(mine(), detail::address_of(whom));
  }

  /// Waits at least `d` (resolution 65 µs).
  sleep_operation sleep(duration d) const noexcept { return sleep_operation(d); }

  /// Asks this actor to stop: its mailbox closes, and serve returns after the current handler.
  void stop() const noexcept { detail::stop_self(mine()); }
  bool stopping() const noexcept { return mine().stopping(); }

  detail::actor_core* core() const noexcept { return core_; }

 private:
  using actor_core_ref = detail::actor_core&;

  template <bool Once, class Handlers>
  auto operation(Handlers handlers) const {
    mine();
    return detail::receive_operation<accepts, Once, Handlers>(handlers);
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
