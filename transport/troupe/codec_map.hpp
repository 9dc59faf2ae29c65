// Opt-in: the codec of std::map. A count, then each key before its value; a key that occurs twice is refused.
// There is none for std::unordered_map: a hostile peer could choose keys that all collide.
#pragma once

#include <map>
#include <troupe/codec.hpp>

template <class Key, class Value, class Less>
struct troupe::codec<std::map<Key, Value, Less>> {
  using map = std::map<Key, Value, Less>;
  using parts = codec_parts<Key, Value>;
  static constexpr std::size_t min_size = 4;
  static constexpr std::size_t element_size = detail::min_size<Key>() + detail::min_size<Value>();

  static void encode(writer& w, const map& value) {
    detail::write_count(w, value.size());
    for (const auto& [key, mapped] : value) {
      codec<Key>::encode(w, key);
      codec<Value>::encode(w, mapped);
    }
  }

  static void decode(reader& r, map& value) {
    const std::size_t count = detail::read_count(r, element_size);
    value.clear();
    for (std::size_t i = 0; i < count && r.ok(); ++i) {
      Key key{};
      codec<Key>::decode(r, key);
      const auto [place, is_new] = value.try_emplace(std::move(key));
      if (!is_new) return r.fail();
      codec<Value>::decode(r, place->second);
    }
  }

  static constexpr void schema(schema_writer& out) {
    out.text("map(");
    out.type<Key>();
    out.text(",");
    out.type<Value>();
    out.text(")");
  }
};
