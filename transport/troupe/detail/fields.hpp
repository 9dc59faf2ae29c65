// The fields of aggregates: their count, types, references and names. Everything here is compile time only.
//
// Boost.PFR splits an object into its fields, but the counting is done here: PFR's stops with an error inside
// its own headers at base classes and C arrays (here such a type is merely not encodable), and GCC 12 crashes
// in it over a std::array<std::string, 2> field. Bit-fields cannot be detected and stay a hard error ("cannot
// bind bit-field").
#pragma once

#include <boost/pfr/core.hpp>
#include <cstddef>
#include <string_view>
#include <troupe/detail/type_name.hpp>
#include <type_traits>
#include <utility>

namespace troupe {

/// A list of types, as the codec of one type names those inside it.
template <class... T>
struct codec_parts {};

}  // namespace troupe

namespace troupe::detail {

/// Converts to the base classes of T and to nothing else; not movable, so that std::any does not take it.
template <class T>
struct any_base_of {
  any_base_of(const any_base_of&) = delete;
  template <class Base>
    requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>)
  operator Base() const;
};

template <class T>
concept has_base = requires(const any_base_of<T>& base) { T{base}; };

template <bool Copyable>
struct any_field {
  template <class Field>
  operator Field&() const& noexcept;
  template <class Field>
  operator Field&() const&& noexcept;
};

template <>
struct any_field<false> {
  template <class Field>
  operator Field() const&& noexcept;
};

template <class T, std::size_t>
using any_field_of = any_field<std::is_copy_constructible_v<T>>;

template <class T, std::size_t... I>
consteval bool takes_braces(std::index_sequence<I...>) {
  return requires { T{any_field_of<T, I>{}...}; };
}

/// Parentheses give each field one value, where braces may reach into a C array. A single value in
/// parentheses would be a copy.
template <class T, std::size_t... I>
consteval bool takes_values(std::index_sequence<I...> sequence) {
#ifdef __cpp_aggregate_paren_init
  if constexpr (sizeof...(I) > 1) return requires { T(any_field_of<T, I>{}...); };
#endif
  return takes_braces<T>(sequence);
}

inline constexpr std::size_t max_fields = 64;

template <class T, std::size_t Known = 0>
consteval std::size_t count_fields() {
  if constexpr (std::is_empty_v<T> || Known == max_fields) {
    return Known;
  } else if constexpr (takes_values<T>(std::make_index_sequence<Known + 1>{})) {
    return count_fields<T, Known + 1>();
  } else {
    return Known;
  }
}

template <class T>
inline constexpr std::size_t field_count = count_fields<T>();

/// A default-constructible aggregate of at most max_fields fields, without base classes and C arrays.
template <class T>
concept reflectable = std::is_class_v<T> && std::is_aggregate_v<T> && std::is_default_constructible_v<T> &&
                      !has_base<T> && !takes_braces<T>(std::make_index_sequence<field_count<T> + 1>{});

/// References to the fields of an object.
template <class T>
constexpr auto fields_of(T& value) {
  return boost::pfr::detail::tie_as_tuple(value,
                                          boost::pfr::detail::size_t_<field_count<std::remove_const_t<T>>>{});
}

template <std::size_t I, class Fields>
constexpr auto& field_at(const Fields& fields) {
  return boost::pfr::detail::sequence_tuple::get<I>(fields);
}

template <class T, std::size_t... I>
auto field_types_of(std::index_sequence<I...>)
    -> codec_parts<std::remove_reference_t<decltype(field_at<I>(fields_of(std::declval<T&>())))>...>;

template <class T>
using field_types = decltype(field_types_of<T>(std::make_index_sequence<field_count<T>>{}));

// An object that exists for the compiler only: its fields have addresses, and addresses have names.
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
template <class T>
struct never_defined {
  const T value;
};

template <class T>
extern const never_defined<T> object_of;

template <class T, std::size_t I>
consteval std::string_view field_name() {
  return member_name<&field_at<I>(fields_of(object_of<T>.value))>();
}
#ifdef __clang__
#pragma clang diagnostic pop
#endif

}  // namespace troupe::detail
