// Opt-in: classes described with Boost.Describe travel like aggregates, private members and bases included.
//
//   class account_state { ... BOOST_DESCRIBE_CLASS(account_state, (), (), (), (owner_, cents_)) };
//
// Every base class must be described too. The fields are those of the bases, then the class's own, in the
// order of the description: new ones go to its end.
#pragma once

#include <boost/describe.hpp>
#include <boost/mp11.hpp>
#include <troupe/codec.hpp>

namespace troupe::detail {

template <class T>
struct described_fields {
  static constexpr unsigned which = boost::describe::mod_any_access | boost::describe::mod_inherited;
  using members = boost::describe::describe_members<T, which>;
  template <class Member>
  using type_of = std::remove_cvref_t<decltype(std::declval<T&>().*Member::pointer)>;
  using types = boost::mp11::mp_rename<boost::mp11::mp_transform<type_of, members>, codec_parts>;
  static constexpr bool layout_order = false;

  template <std::size_t I>
  static consteval std::string_view name() {
    return boost::mp11::mp_at_c<members, I>::name;
  }
  template <class Value, class F>
  static void for_each(Value& value, F f) {
    boost::mp11::mp_for_each<members>([&](auto member) { f(value.*member.pointer); });
  }
};

template <class T>
concept described = boost::describe::has_describe_members<T>::value && !std::is_union_v<T> && !reflectable<T>;

}  // namespace troupe::detail

template <troupe::detail::described T>
struct troupe::codec<T> : troupe::detail::record_codec<T, troupe::detail::described_fields<T>> {};
