// Spawning: options, and the typed start of an actor's coroutine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <troupe/actor.hpp>
#include <troupe/bounds.hpp>
#include <troupe/detail/protocol_info.hpp>
#include <troupe/give.hpp>
#include <troupe/ref.hpp>
#include <troupe/supervise.hpp>

namespace troupe {

class node;

struct spawn_options {
  std::string name = {};                    // shown in logs and dumps; names need not be unique
  std::uint32_t mailbox = 1024;             // messages of each priority (bounds.hpp); 1 to 8,388,608
  std::uint64_t mailbox_bytes = 16u << 20;  // of each priority; a message that finds none before it has room
  overflow when_full = overflow::wait;
  std::optional<unsigned> worker =
      {};  // pins the actor to that worker (modulo their number); else the spawner's, or in turn
};

namespace detail {

/// A class that stands for an actor (class_actor.hpp).
template <class T>
concept class_actor = std::is_class_v<T> && requires { typename T::accepts; };
template <class... Args>
inline constexpr bool begins_with_options = false;
template <class First, class... Rest>
inline constexpr bool begins_with_options<First, Rest...> =
    std::is_same_v<std::remove_cvref_t<First>, spawn_options>;
template <class T, class... Args>
actor run_class(self<typename T::accepts> me, Args... args);
template <class A>
using unwrapped = decltype(unwrap(std::declval<A>()));

template <class F>
struct actor_function;
template <class P, class... Args>
struct actor_function<actor (*)(self<P>, Args...)> {
  using protocol_type = as_protocol_t<P>;
  using self_type = self<P>;
  using arguments = std::tuple<std::decay_t<Args>...>;
};
template <class F>
  requires requires { &F::operator(); }
struct actor_function<F> : actor_function<decltype(&F::operator())> {};
template <class F, class R, class... Args>
struct actor_function<R (F::*)(Args...) const> : actor_function<R (*)(Args...)> {};
template <class R, class... Args>
struct actor_function<R (&)(Args...)> : actor_function<R (*)(Args...)> {};
template <class R, class... Args>
struct actor_function<R(Args...)> : actor_function<R (*)(Args...)> {};

/// Takes a slot (null: the node is at its limit or has stopped), then the typed part makes the frame, then
/// birth.
actor_core* begin_spawn(node_core& node, actor_core* parent, const spawn_options& options);
address finish_spawn(actor_core& core, actor_core* parent, const spawn_options& options,
                     const protocol_info& accepts, const actor& body,
                     std::unique_ptr<rebirth> again = nullptr) noexcept;
void abandon_spawn(actor_core& core) noexcept;

template <class F, class... Args>
auto spawn_actor(node_core& node, actor_core* parent, const spawn_options& options, F function,
                 Args&&... args) {
  using traits = actor_function<F>;
  using P = typename traits::protocol_type;
  check_arguments<Args...>();
  static_assert(std::is_pointer_v<F> || std::is_empty_v<F>,
                "an actor is a function or a captureless lambda: pass its state as arguments");
  actor_core* const core = begin_spawn(node, parent, options);
  if (core == nullptr) return ref<P>();
  actor body;
  try {
    body = function(typename traits::self_type(*core), unwrap(std::forward<Args>(args))...);
  } catch (...) {
    abandon_spawn(*core);
    throw;
  }
  return ref_to<P>(finish_spawn(*core, parent, options, protocol_info_of<P>, body));
}

template <class T>
struct a_restarting_actor_copies_its_start_arguments_but_not;

/// Says which type does not, if any. What follows must depend on the answer: see handler_fits.
template <class T>
constexpr bool start_argument_copies() {
  if constexpr (!std::is_copy_constructible_v<T>) {
    compile_error<a_restarting_actor_copies_its_start_arguments_but_not<T>>();
  }
  return std::is_copy_constructible_v<T>;
}
template <class... Ts>
constexpr bool start_arguments_copy(std::type_identity<std::tuple<Ts...>>) {
  return (start_argument_copies<Ts>() & ... & true);
}

/// F with the start arguments of the actor that it makes.
template <class F, class Arguments>
class rebirth_of;
template <class F, class... Ts>
class rebirth_of<F, std::tuple<Ts...>> final : public rebirth {
 public:
  template <class... Args>
  rebirth_of(const restarting<F>& what, Args&&... args)
      : rebirth(what.always), function_(what.function), arguments_(std::forward<Args>(args)...) {}

  actor start(actor_core& core) const override {
    return std::apply(
        [&](const Ts&... ts) { return function_(typename actor_function<F>::self_type(core), Ts(ts)...); },
        arguments_);
  }

 private:
  F function_;
  std::tuple<Ts...> arguments_;
};

/// As above, for an actor that restarts.
template <class F, class... Args>
auto spawn_actor(node_core& node, actor_core* parent, const spawn_options& options, restarting<F> what,
                 Args&&... args) {
  using traits = actor_function<F>;
  using P = typename traits::protocol_type;
  check_arguments<Args...>();
  static_assert(std::is_pointer_v<F> || std::is_empty_v<F>,
                "an actor is a function or a captureless lambda: pass its state as arguments");
  if constexpr (start_arguments_copy(std::type_identity<typename traits::arguments>())) {
    actor_core* const core = begin_spawn(node, parent, options);
    if (core == nullptr) return ref<P>();
    std::unique_ptr<rebirth> again;
    actor body;
    try {
      again = std::make_unique<rebirth_of<F, typename traits::arguments>>(
          what, unwrap(std::forward<Args>(args))...);
      body = again->start(*core);
    } catch (...) {
      abandon_spawn(*core);
      throw;
    }
    return ref_to<P>(finish_spawn(*core, parent, options, protocol_info_of<P>, body, std::move(again)));
  } else {
    return ref<P>();
  }
}

}  // namespace detail
}  // namespace troupe
