// How a message type looks on the wire, with its C++ type erased: what a link needs to send one and what a
// mailbox needs to take one in.
#pragma once

#include <cstdint>
#include <string_view>

#include <troupe/codec.hpp>
#include <troupe/schema.hpp>

namespace troupe::detail {

struct wire_type {
  std::string_view schema;  // message_schema_text<M>(): name, fields and reply
  std::uint64_t hash;       // of the schema text
  void (*encode)(writer& out, const void* message);
  /// Fills a default-constructed message. `longer`: the sender's schema has more fields than ours.
  void (*decode)(reader& in, void* message, bool longer);
  std::uint32_t flat;  // bytes: a message's own are its encoding, and any are a message; 0: they are not
};

template <class M>
inline constexpr wire_type wire_type_of = {
    message_schema_text<M>(),
    message_schema_hash<M>(),
    [](writer& out, const void* message) { encode_message(out, *static_cast<const M*>(message)); },
    [](reader& in, void* message, bool longer) { decode_message(in, *static_cast<M*>(message), longer); },
    is_flat<M>() ? sizeof(M) : 0,
};

}  // namespace troupe::detail
