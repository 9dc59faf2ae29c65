// Names of types and of their fields, as constant expressions that come out the same on GCC and clang.
//
// Compilers only offer the text of __PRETTY_FUNCTION__. They differ in how they spell template arguments,
// anonymous namespaces and the function around a local type, so those parts are dropped or normalised:
// `lib::box<int>::item` is "lib::box::item", `f()::local` is "local", an anonymous namespace "(anonymous)".
// One difference cannot be seen from here: GCC spells inline namespaces and clang leaves them out.
// Everything here is pure and evaluated by the compiler.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace troupe::detail {

/// A namespace without types: GCC leaves the namespace of the function out of the types in its text.
namespace spelling {

template <class T>
consteval const char* type_text() {
  return __PRETTY_FUNCTION__;
}

template <auto Address>
consteval const char* address_text() {
  return __PRETTY_FUNCTION__;
}

}  // namespace spelling

/// The part after "[T = " or "[with T = ", without the closing bracket.
constexpr std::string_view argument_of(std::string_view raw) {
  const std::size_t start = raw.find(" = ") + 3;
  return raw.substr(start, raw.size() - start - 1);
}

constexpr bool opens(char c) { return c == '(' || c == '[' || c == '{' || c == '<'; }
constexpr bool closes(char c) { return c == ')' || c == ']' || c == '}' || c == '>'; }

/// The index just after the bracketed group that opens at `at`.
constexpr std::size_t after_group(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (; at < text.size(); ++at) {
    if (opens(text[at])) ++depth;
    if (closes(text[at]) && --depth == 0) return at + 1;
  }
  return at;
}

/// The index just after the next "::" outside brackets.
constexpr std::size_t after_scope(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (text.substr(at).starts_with("::")) return at + 2;
    at = opens(text[at]) ? after_group(text, at) : at + 1;
  }
  return at;
}

inline constexpr std::string_view anonymous_spellings[] = {"(anonymous namespace)", "{anonymous}"};

constexpr std::size_t anonymous_prefix(std::string_view text) {
  for (std::string_view spelling : anonymous_spellings)
    if (text.starts_with(spelling)) return spelling.size();
  return 0;
}

template <std::size_t Capacity>
struct name_text {
  std::array<char, Capacity> chars{};
  std::size_t size = 0;
  bool anonymous = false;

  constexpr void append(std::string_view text) {
    for (char c : text) chars[size++] = c;
  }
  constexpr std::string_view view() const { return {chars.data(), size}; }
};

template <class T>
consteval auto normalised_type_name() {
  constexpr std::string_view raw = argument_of(spelling::type_text<T>());
  name_text<raw.size()> name;
  for (std::size_t at = 0; at < raw.size();) {
    if (const std::size_t skip = anonymous_prefix(raw.substr(at)); skip != 0) {
      name.append("(anonymous)");
      name.anonymous = true;
      at += skip;
    } else if (raw[at] == '<') {
      at = after_group(raw, at);
    } else if (opens(raw[at])) {  // the parameters of an enclosing function, which clang does not spell
      name.size = 0;
      name.anonymous = false;
      at = after_scope(raw, at);
    } else {
      name.append(raw.substr(at++, 1));
    }
  }
  return name;
}

template <class T>
inline constexpr auto type_name_storage = normalised_type_name<T>();

/// The last identifier of "&fake_object.value.cents" or "(& fake<T>.holder<T>::value.T::cents)".
template <auto Address>
consteval std::string_view member_name() {
  constexpr auto in_identifier = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c < 0;
  };
  std::string_view text = argument_of(spelling::address_text<Address>());
  while (!in_identifier(text.back())) text.remove_suffix(1);
  std::size_t start = text.size();
  while (start > 0 && in_identifier(text[start - 1])) --start;
  return text.substr(start);
}

}  // namespace troupe::detail

namespace troupe {

/// The qualified name of T without template arguments, e.g. "bank::deposit".
template <class T>
consteval std::string_view type_name() {
  return detail::type_name_storage<T>.view();
}

/// True for types that a second translation unit may define differently: they must not travel.
template <class T>
consteval bool in_anonymous_namespace() {
  return detail::type_name_storage<T>.anonymous;
}

}  // namespace troupe
