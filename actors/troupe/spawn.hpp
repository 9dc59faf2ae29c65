// Spawning: options, and the typed start of an actor's coroutine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <troupe/actor.hpp>
#include <troupe/detail/protocol_info.hpp>
#include <troupe/give.hpp>
#include <troupe/ref.hpp>

namespace troupe {

class node;

struct spawn_options {
  std::string name;              // shown in logs and dumps; names need not be unique
  std::uint32_t mailbox = 1024;  // messages; at least 1
  std::optional<unsigned>
      worker;  // pins the actor to that worker (modulo their number); else the spawner's, or in turn
};

namespace detail {

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
                     const protocol_info& accepts, std::coroutine_handle<> frame) noexcept;
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
  std::coroutine_handle<> frame;
  try {
    frame = function(typename traits::self_type(*core), unwrap(std::forward<Args>(args))...).frame;
  } catch (...) {
    abandon_spawn(*core);
    throw;
  }
  return ref_to<P>(finish_spawn(*core, parent, options, protocol_info_of<P>, frame));
}

}  // namespace detail
}  // namespace troupe
