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
  bool travels;      // every message (troupe::down aside, which links never carry) can be encoded
  bool prioritized;  // a message has another priority than normal
};

template <class P>
struct protocol_table;
template <class... Ms>
struct protocol_table<protocol<Ms...>> {
  static constexpr std::array<const value_type*, sizeof...(Ms)> messages = {&value_type_of<Ms>...};
  static constexpr bool travels = ((std::is_same_v<Ms, down> || wire_of<Ms>() != nullptr) && ...);
  static constexpr bool prioritized = ((priority_of<Ms>() != priority::normal) || ...);
};

template <class P>
inline constexpr protocol_info protocol_info_of = {protocol_table<P>::messages, protocol_table<P>::travels,
                                                   protocol_table<P>::prioritized};

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
/// Instances of one template have one wire name (schema_writer.hpp); a peer could not say which it means.
template <class M, class Other>
constexpr void check_names_differ() {
  if constexpr (!std::is_same_v<M, Other> && !std::is_same_v<M, down> && !std::is_same_v<Other, down>) {
    if constexpr (schema_name(wire_of<M>()->schema) == schema_name(wire_of<Other>()->schema))
      compile_error<messages_of_one_name_cannot_travel_in_one_protocol<M, Other>>();
  }
}
/// Refuses, by name, the messages of a protocol that cannot leave the process.
template <class... Ms>
constexpr void check_protocol_travels(protocol<Ms...>*) {
  (check_message_travels<Ms>(), ...);
  if constexpr (protocol_table<protocol<Ms...>>::travels) {
    const auto against_all = []<class M>(std::type_identity<M>) { (check_names_differ<M, Ms>(), ...); };
    (against_all(std::type_identity<Ms>{}), ...);
  }
}

}  // namespace troupe::detail
