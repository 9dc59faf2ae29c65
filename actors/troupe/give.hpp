// Building messages from arguments: send<M>(args...) makes the M inside the callee.
//
// GCC 12 destroys an aggregate temporary with a non-trivial member twice when it is written inside a co_await
// expression, so such a temporary is refused as an argument. Give a named variable away, or let a function
// make the value:
//
// The same happens to `condition ? variable : "literal"`, anywhere in a co_await expression, and nothing can
// refuse that: name it first.
//
//   co_await desk.send<letter>(troupe::give(draft));                   // moves from the variable `draft`
//   co_await desk.send<letter>(troupe::make<envelope>("to", "from"));  // a function result is safe
//
// Arithmetic arguments are converted to the field's type when no value can be lost (asserted); mixing bool
// with numbers, or a floating-point value into an integer field, does not compile.
#pragma once

#include <type_traits>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/fields.hpp>

namespace troupe {

namespace detail {

template <class T>
class given {
 public:
  explicit given(T& from) noexcept : from_(&from) {}
  T&& take() const noexcept { return std::move(*from_); }

 private:
  T* from_;
};

template <class T>
class made {
 public:
  template <class... Args>
  explicit made(std::in_place_t, Args&&... args) : value_{std::forward<Args>(args)...} {}
  T&& take() noexcept { return std::move(value_); }

 private:
  T value_;
};

template <class T>
inline constexpr bool is_wrapped = false;
template <class T>
inline constexpr bool is_wrapped<given<T>> = true;
template <class T>
inline constexpr bool is_wrapped<made<T>> = true;

template <class A>
decltype(auto) unwrap(A&& a) {
  if constexpr (is_wrapped<std::remove_cvref_t<A>>) {
    return a.take();
  } else {
    return std::forward<A>(a);
  }
}

/// True for the argument that GCC 12 would destroy twice: an rvalue aggregate that is not trivially
/// destructible.
template <class A>
inline constexpr bool unsafe_temporary =
    !std::is_lvalue_reference_v<A> && std::is_aggregate_v<std::remove_cvref_t<A>> &&
    !std::is_trivially_destructible_v<std::remove_cvref_t<A>>;

template <class... Args>
constexpr void check_arguments() {
  static_assert(
      (!unsafe_temporary<Args> && ...),
      "an aggregate temporary with a non-trivial member is destroyed twice by GCC 12 inside co_await: pass "
      "troupe::give(named_variable) or troupe::make<T>(args...)");
}

/// `a` as a Field, refusing what would lose meaning at compile time and what would lose value by assertion.
template <class Field, class A>
constexpr decltype(auto) to_field(A&& a) {
  using Arg = std::remove_cvref_t<A>;
  if constexpr (std::is_arithmetic_v<Field> && std::is_arithmetic_v<Arg> && !std::is_same_v<Field, Arg>) {
    static_assert(
        std::is_same_v<Field, bool> == std::is_same_v<Arg, bool>,
        "a bool and a number do not convert into each other in a message: write the comparison out");
    static_assert(!std::is_floating_point_v<Arg> || std::is_floating_point_v<Field>,
                  "a floating-point value does not go into an integer field: round it explicitly");
    const auto converted = static_cast<Field>(a);
    if constexpr (std::is_integral_v<Field>) {
      TROUPE_ASSERT(static_cast<Arg>(converted) == a && (converted < Field{}) == (a < Arg{}),
                    "a number does not fit into its message field: widen the field or check the value");
    }
    return converted;
  } else {
    return std::forward<A>(a);
  }
}

template <class M, std::size_t I>
using field_type = std::remove_reference_t<decltype(field_at<I>(fields_of(std::declval<M&>())))>;

// Fewer arguments than fields are meant: the others keep their defaults.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
template <class M, std::size_t... I, class... Args>
M build_fields(std::index_sequence<I...>, Args&&... args) {
  return M{to_field<field_type<M, I>>(unwrap(std::forward<Args>(args)))...};
}
#pragma GCC diagnostic pop

/// An M from the arguments of send, ask or try_send: a ready M, its fields in order, or a constructor's
/// arguments.
template <class M, class... Args>
M build_message(Args&&... args) {
  if constexpr (sizeof...(Args) == 1 &&
                (std::is_same_v<std::remove_cvref_t<decltype(unwrap(std::declval<Args>()))>, M> && ...)) {
    return M(unwrap(std::forward<Args>(args))...);
  } else if constexpr (std::is_aggregate_v<M>) {
    static_assert(sizeof...(Args) <= field_count<M>, "more arguments than the message has fields");
    return build_fields<M>(std::index_sequence_for<Args...>{}, std::forward<Args>(args)...);
  } else {
    return M(unwrap(std::forward<Args>(args))...);
  }
}

}  // namespace detail

/// Moves from a named variable into the message (only if the message is accepted: a refused try_send leaves
/// the variable as it was).
template <class T>
  requires(!std::is_const_v<T>)
detail::given<T> give(T& named) noexcept {
  return detail::given<T>(named);
}

/// Makes a T for use as an argument inside a co_await expression.
template <class T, class... Args>
detail::made<T> make(Args&&... args) {
  return detail::made<T>(std::in_place, std::forward<Args>(args)...);
}

}  // namespace troupe
