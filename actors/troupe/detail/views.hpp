// What must not be in a message or an actor's parameters: pointers, references and views, which mean nothing
// elsewhere and dangle at home. Seen through aggregates, standard containers, optionals, pairs, tuples and
// variants.
#pragma once

#include <concepts>
#include <functional>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <troupe/detail/fields.hpp>

namespace troupe::detail {

template <class T>
inline constexpr bool is_view = std::is_pointer_v<T> || std::is_reference_v<T> || std::is_member_pointer_v<T>;
template <class C, class Tr>
inline constexpr bool is_view<std::basic_string_view<C, Tr>> = true;
template <class T, std::size_t N>
inline constexpr bool is_view<std::span<T, N>> = true;
template <class T>
inline constexpr bool is_view<std::reference_wrapper<T>> = true;

/// The types whose values a T holds, as far as that can be known.
template <class T>
struct held_types {
  static constexpr auto find() {
    if constexpr (reflectable<T>) {
      return field_types<T>();
    } else if constexpr (requires { typename T::value_type; }) {
      return codec_parts<typename T::value_type>();
    } else {
      return codec_parts<>();
    }
  }
  using type = decltype(find());
};
template <class A, class B>
struct held_types<std::pair<A, B>> {
  using type = codec_parts<A, B>;
};
template <class... Ts>
struct held_types<std::tuple<Ts...>> {
  using type = codec_parts<Ts...>;
};
template <class... Ts>
struct held_types<std::variant<Ts...>> {
  using type = codec_parts<Ts...>;
};

/// Open: the types around T; a type that contains itself is looked at once.
template <class T, class... Open>
consteval bool holds_view() {
  if constexpr (is_view<T>) {
    return true;
  } else if constexpr ((std::same_as<T, Open> || ...)) {
    return false;
  } else {
    return []<class... Part>(codec_parts<Part...>) {
      return (holds_view<std::remove_cv_t<Part>, T, Open...>() || ...);
    }(typename held_types<T>::type());
  }
}

}  // namespace troupe::detail
