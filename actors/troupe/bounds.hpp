// What an actor's mailbox holds, and what it does with one message more: set when the actor is spawned.
//
//   node.spawn({.mailbox = 100, .when_full = troupe::overflow::drop_oldest}, run_ticker);
//
//   struct order  { std::string what; };
//   struct cancel { static constexpr auto priority = troupe::priority::high; };   // taken before any order
//
// A message of a priority is taken before those of a lower one, and after eight of them one of the lower has its turn.
// Order between two actors holds within one priority. The limits of a mailbox hold for each priority by itself, so a
// mailbox full of orders has room for a cancel.
//
// Bytes are those of the message and its envelope, and of what its encoding would take if it is no plain old data; what a local-only
// message owns elsewhere is not seen. DOWNs, replies and orders to stop never count and are never dropped. Messages from
// other nodes are bounded by their link's credit while the mailbox waits, and by the limits under the other policies.
#pragma once

#include <concepts>
#include <cstdint>

namespace troupe {

/// What a full mailbox does with one message more.
enum class overflow : std::uint8_t {
  wait,    // the sender waits for room; try_send says full
  reject,  // send and try_send say full, ask says mailbox_full; one from another node becomes a dead letter
  drop_newest,  // it is accepted and becomes a dead letter (shed)
  drop_oldest,  // it takes the place of the oldest of its priority, which becomes a dead letter (shed);
                // while its worker is busy and as many as it holds are on their way to it, the newest does
};

enum class priority : std::uint8_t { normal, high, low };

namespace detail {

/// A field of that name is just a field.
template <class M>
concept has_priority = requires {
  { &M::priority } -> std::same_as<const priority*>;
};
template <class M>
concept has_variable_priority = requires {
  { &M::priority } -> std::same_as<priority*>;
};
template <class M>
constexpr priority priority_of() {
  if constexpr (has_priority<M>) return M::priority;
  return priority::normal;
}

}  // namespace detail
}  // namespace troupe
