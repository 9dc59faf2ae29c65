#include "kind_census.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace troupe::detail {
namespace {

void remove_all(std::string& from, std::string_view what) {
  for (auto at = from.find(what); at != from.npos; at = from.find(what)) from.erase(at, what.size());
}

/// T of "run_class(...) [with T = x::y<z>; Args = {int}]" or "[T = x::y<z>, Args = <int>]".
std::string class_in(const std::string& pretty, std::size_t begin) {
  int depth = 0;
  std::size_t end = begin;
  for (; end < pretty.size(); ++end) {
    const char c = pretty[end];
    if (c == '<' || c == '(') ++depth;
    if (c == '>' || c == ')') --depth;
    if (depth == 0 && (c == ';' || c == ',' || c == ']')) break;
  }
  return pretty.substr(begin, end - begin);
}

/// The qualified name in "troupe::actor x::y(self<z>, int) [with ...]".
std::string function_in(const std::string& pretty) {
  std::string text = pretty.substr(0, pretty.find('('));
  return text.substr(text.rfind(' ') + 1);  // npos + 1: all of it
}

}  // namespace

std::string kind_name(const std::source_location& function) {
  std::string pretty = function.function_name();
  if (pretty.find("<lambda") != pretty.npos || pretty.find("(anonymous class)") != pretty.npos)
    return std::string("lambda at ") + function.file_name() + ":" + std::to_string(function.line());
  for (const std::string_view noise : {"{anonymous}::", "(anonymous namespace)::"}) remove_all(pretty, noise);
  if (pretty.find("detail::run_class(") != pretty.npos) {
    for (const std::string_view before : {"[with T = ", "[T = "}) {
      if (const auto at = pretty.find(before); at != pretty.npos) return class_in(pretty, at + before.size());
    }
  }
  return function_in(pretty);
}

std::uint16_t kind_census::number_of(const std::source_location& function) {
  const key k(function.function_name(), function.line());
  if (!kinds_.empty() && k == last_key_) return last_;
  const auto next = static_cast<std::uint16_t>(std::min(kinds_.size(), most - 1));
  const auto [at, is_new] = numbers_.try_emplace(k, next);
  if (is_new && kinds_.size() < most) {
    kinds_.emplace_back();
    kinds_.back().kind = kinds_.size() < most ? kind_name(function) : "others";
  }
  last_key_ = k;
  return last_ = at->second;
}

std::uint16_t kind_census::born(const std::source_location& function) {
  const std::uint16_t kind = number_of(function);
  ++kinds_[kind].spawned;
  return kind;
}

void kind_census::ended(std::uint16_t kind, exit_kind how, std::uint32_t messages) noexcept {
  ++kinds_[kind].ended[static_cast<std::size_t>(how)];
  kinds_[kind].messages += messages;
}

}  // namespace troupe::detail
