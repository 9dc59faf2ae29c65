// The codec of records: their fields in order, one memcpy when that is the same thing.
//
// What the fields are comes from a description: detail::aggregate_fields here, classes described with
// Boost.Describe in troupe/describe.hpp.
#pragma once

#include <troupe/codec.hpp>

namespace troupe::detail {

template <class... Field>
consteval std::size_t min_size_of(codec_parts<Field...>) {
  return (std::size_t{0} + ... + min_size<Field>());
}

/// Flat fields without padding between them: the object's bytes are the fields' encodings.
template <class T, class... Field>
consteval bool is_flat_record(codec_parts<Field...>) {
  return (is_flat<Field>() && ...) && (std::size_t{0} + ... + sizeof(Field)) == sizeof(T);
}

template <class Fields, class... Field, std::size_t... I>
constexpr void fields_schema(schema_writer& out, codec_parts<Field...>, std::index_sequence<I...>) {
  (out.field<Field>(Fields::template name<I>()), ...);
}

template <class Fields, class... Field>
constexpr void fields_schema(schema_writer& out, codec_parts<Field...> types) {
  fields_schema<Fields>(out, types, std::index_sequence_for<Field...>{});
}

/// Fields: `types` (a codec_parts), `for_each(value, f)`, `name<I>()`, and `layout_order` when the fields are
/// listed as they lie in memory.
template <class T, class Fields>
struct record_codec {
  using parts = typename Fields::types;
  static constexpr std::size_t min_size = min_size_of(parts{});
  static constexpr bool flat = Fields::layout_order && is_flat_record<T>(parts{});

  static void encode(writer& w, const T& value) {
    if constexpr (is_flat<T>()) {
      w.write(&value, sizeof value);
    } else if (nesting level(w); level) {
      Fields::for_each(value, [&w]<class Field>(const Field& field) { codec<Field>::encode(w, field); });
    }
  }

  static void decode(reader& r, T& value) {
    if constexpr (is_flat<T>()) {
      r.read(&value, sizeof value);
    } else if (nesting level(r); level) {
      Fields::for_each(value, [&r]<class Field>(Field& field) {
        if (r.ok()) codec<Field>::decode(r, field);
      });
    }
  }

  /// The same, but the input may end before any field.
  static void decode_prefix(reader& r, T& value) {
    if (is_flat<T>() && r.remaining() >= sizeof value) return decode(r, value);
    if (nesting level(r); level) {
      Fields::for_each(value, [&r]<class Field>(Field& field) {
        if (r.remaining() != 0) codec<Field>::decode(r, field);
      });
    }
  }

  static constexpr void schema(schema_writer& out) {
    if (!out.begin_record<T>()) return;
    fields_schema<Fields>(out, parts{});
    out.end_record();
  }
};

template <class T>
struct aggregate_fields {
  using types = field_types<T>;
  static constexpr bool layout_order = true;
  template <std::size_t I>
  static consteval std::string_view name() {
    return field_name<T, I>();
  }
  template <class Value, class F>
  static void for_each(Value& value, F f) {
    const auto fields = fields_of(value);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f(field_at<I>(fields)), ...);
    }(std::make_index_sequence<field_count<T>>{});
  }
};

}  // namespace troupe::detail

template <troupe::detail::reflectable T>
struct troupe::codec<T> : troupe::detail::record_codec<T, troupe::detail::aggregate_fields<T>> {};
