#include "kind_census.hpp"

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

kind_info& kind_census::kind_of(const std::source_location& function) {
  const key k(function.function_name(), function.line());
  if (last_ != nullptr && k == last_key_) return *last_;
  const auto [at, is_new] = found_.try_emplace(k, nullptr);
  if (is_new) {
    if (kinds_.size() < most) {
      kinds_.emplace_back();
      kinds_.back().kind = kinds_.size() < most ? kind_name(function) : "others";
    }
    at->second = &kinds_.back();
  }
  last_key_ = k;
  last_ = at->second;
  return *last_;
}

kind_info& kind_census::born(const std::source_location& function) {
  kind_info& kind = kind_of(function);
  ++kind.spawned;
  return kind;
}

}  // namespace troupe::detail
