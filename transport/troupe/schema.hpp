// The wire identity of message types, as text: what two nodes compare once per connection, so that every
// later message is bare bytes.
//
//   bank::deposit{cents:i64}            bank::balance{}->i64            app::stop{}->void
//
// A request's text ends in "->" and its reply's. Two texts are compatible when the names are equal and one
// list of top-level fields is a prefix of the other; nested types must be equal. The vocabulary is described
// in detail/schema_writer.hpp. The texts are constants; the functions of schema.cpp are pure, take anything a
// hostile peer may send, and answer in bounded time and space.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <troupe/codec.hpp>

namespace troupe {

/// A message that asks for an answer: `using reply = R;`, R being void for a mere acknowledgement.
template <class Message>
concept has_reply = requires { typename Message::reply; };

namespace detail {

template <class T>
constexpr void append_schema(schema_writer& out) {
  out.type<T>();
}

template <class Message>
constexpr void append_message_schema(schema_writer& out) {
  out.type<Message>();
  if constexpr (has_reply<Message>) {
    out.text("->");
    if constexpr (std::same_as<typename Message::reply, void>) {
      out.text("void");
    } else {
      out.type<typename Message::reply>();
    }
  }
}

/// What `append` writes: one pass to count, one to fill.
template <void (*append)(schema_writer&)>
consteval auto written_schema() {
  constexpr std::size_t size = [] {
    schema_writer out;
    append(out);
    return out.size();
  }();
  std::array<char, size> chars{};
  schema_writer out(chars.data());
  append(out);
  return chars;
}

template <void (*append)(schema_writer&)>
inline constexpr auto schema_storage = written_schema<append>();

template <void (*append)(schema_writer&)>
constexpr std::string_view stored_schema() {
  return {schema_storage<append>.data(), schema_storage<append>.size()};
}

}  // namespace detail

template <encodable T>
consteval std::string_view schema_text() {
  return detail::stored_schema<&detail::append_schema<T>>();
}

/// The text of a message and, when it has one, its reply.
template <encodable Message>
consteval std::string_view message_schema_text() {
  return detail::stored_schema<&detail::append_message_schema<Message>>();
}

/// 64-bit FNV-1a.
constexpr std::uint64_t schema_hash(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

template <encodable T>
consteval std::uint64_t schema_hash() {
  return schema_hash(schema_text<T>());
}

template <encodable Message>
consteval std::uint64_t message_schema_hash() {
  return schema_hash(message_schema_text<Message>());
}

/// A text from message_schema_text, split at the arrow.
struct schema_halves {
  std::string_view message;
  std::string_view reply;  // empty when there is none
};

schema_halves split_schema(std::string_view text) noexcept;

/// The message's qualified name: "bank::deposit".
constexpr std::string_view schema_name(std::string_view text) noexcept {
  return text.substr(0, text.find_first_of("{-"));  // "-" of "->"
}

/// A peer's text as it may appear in our log: short and without control characters.
std::string printable(std::string_view text);

/// Nothing when messages (and replies) pass between the two, else one line that names the first difference,
/// e.g. "bank::deposit: field 2 is cents:i64 here and cents:i32 there".
std::optional<std::string> schema_mismatch(std::string_view theirs, std::string_view ours);

/// Whether a sender has fields that we do not know, given compatible messages (or replies: see split_schema).
bool schema_is_longer(std::string_view theirs, std::string_view ours) noexcept;

}  // namespace troupe
