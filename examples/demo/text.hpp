// printf into a string, for the lines that the demos show.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

namespace demo {

/// Cut to 255 bytes.
template <class... Values>
std::string format(const char* form, Values... values) {
  std::array<char, 256> text;
  const int size = std::snprintf(text.data(), text.size(), form, values...);
  return std::string(text.data(), std::min(static_cast<std::size_t>(size), text.size() - 1));
}

}  // namespace demo
