// What a mailbox accepts, with the C++ types erased: found by links when a peer names a message type.
#pragma once

#include <array>
#include <span>

#include <troupe/detail/message.hpp>
#include <troupe/protocol.hpp>

namespace troupe {
struct down;
}

namespace troupe::detail {

struct protocol_info {
  std::span<const value_type* const> messages;
  bool travels;  // every message (troupe::down aside, which links never carry) can be encoded
};

template <class P>
struct protocol_table;
template <class... Ms>
struct protocol_table<protocol<Ms...>> {
  static constexpr std::array<const value_type*, sizeof...(Ms)> messages = {&value_type_of<Ms>...};
  static constexpr bool travels = ((std::is_same_v<Ms, down> || wire_of<Ms>() != nullptr) && ...);
};

template <class P>
inline constexpr protocol_info protocol_info_of = {protocol_table<P>::messages, protocol_table<P>::travels};

template <class M>
constexpr void check_message_travels() {
  if constexpr (!std::is_same_v<M, down>) {
    if constexpr (in_anonymous_namespace<M>()) {
      compile_error<message_in_an_anonymous_namespace_cannot_travel<M>>();
    } else if constexpr (wire_of<M>() == nullptr) {
      compile_error<message_cannot_be_encoded_so_it_is_local_only<M>>();
    }
  }
}
/// Refuses, by name, the messages of a protocol that cannot leave the process.
template <class... Ms>
constexpr void check_protocol_travels(protocol<Ms...>*) {
  (check_message_travels<Ms>(), ...);
}

}  // namespace troupe::detail
