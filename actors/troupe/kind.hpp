// troupe::kind: an actor function with a name, so that other nodes can ask for one to be spawned.
//
//   inline constexpr troupe::kind<run_account> account_kind{"bank.account"};
//
//   node.offer(account_kind);                                          // on the node that hosts it
//   auto acc = co_await node.spawn_on("back", account_kind, 0);        // elsewhere: result<ref<account>>
//
// Arguments convert to the function's parameters where spawn_on is called; their schema is part of the kind's
// identity, so two programs that disagree about it refuse each other clearly. Nothing that a node has not
// offered can be spawned on it.
#pragma once

#include <string_view>
#include <tuple>

#include <troupe/detail/protocol_info.hpp>
#include <troupe/spawn.hpp>

namespace troupe {

template <auto Function>
struct kind {
  using traits = detail::actor_function<decltype(Function)>;
  using protocol_type = typename traits::protocol_type;
  using arguments = typename traits::arguments;

  std::string_view name;
};

}  // namespace troupe
