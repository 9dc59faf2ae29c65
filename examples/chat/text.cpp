#include "chat/text.hpp"

#include <algorithm>
#include <utility>

namespace chat {
namespace {

unsigned byte_at(std::string_view s, std::size_t i) noexcept { return static_cast<unsigned char>(s[i]); }

/// Bytes of the well-formed character at the start of `s`; 0 if there is none.
std::size_t character(std::string_view s) noexcept {
  const unsigned lead = byte_at(s, 0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xc2 ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
  if (length > s.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(s, i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte_at(s, 1) < 0xa0) || (lead == 0xf0 && byte_at(s, 1) < 0x90);
  return overlong ? 0 : length;
}

bool is_control(std::string_view character) noexcept {
  const unsigned lead = byte_at(character, 0);
  return lead < 0x20 || lead == 0x7f || (lead == 0xc2 && byte_at(character, 1) < 0xa0);
}

/// The first word of `s`, which loses it and the blanks around it.
std::string_view take_word(std::string_view& s) noexcept {
  s.remove_prefix(std::min(s.find_first_not_of(' '), s.size()));
  const std::string_view word = s.substr(0, s.find(' '));
  s.remove_prefix(word.size());
  s.remove_prefix(std::min(s.find_first_not_of(' '), s.size()));
  return word;
}

constexpr std::pair<std::string_view, command::verb> verbs[] = {
    {"/nick", command::verb::nick}, {"/who", command::verb::who},   {"/msg", command::verb::tell},
    {"/quit", command::verb::quit}, {"/help", command::verb::help},
};

}  // namespace

std::string clean(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character(text);
    const std::string_view next = length != 0 ? text.substr(0, length) : "?";
    text.remove_prefix(std::max<std::size_t>(length, 1));
    if (out.size() + next.size() > longest_text) break;
    if (next == "\t") {
      out += ' ';
    } else if (!is_control(next)) {
      out += next;
    }
  }
  return out;
}

bool is_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= longest_name && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

command parse_command(std::string_view typed) {
  command c;
  const std::string text = clean(typed);
  std::string_view rest = text;
  if (rest.find_first_not_of(' ') == std::string_view::npos) return c;
  if (rest.front() != '/') {
    c.what = command::verb::say;
    c.text = text;
    return c;
  }
  const std::string_view word = take_word(rest);
  c.what = command::verb::unknown;
  c.name = word;
  for (const auto& [spelling, verb] : verbs) {
    if (word == spelling) c.what = verb;
  }
  if (c.what == command::verb::nick || c.what == command::verb::tell) c.name = take_word(rest);
  c.text = rest;
  return c;
}

}  // namespace chat
