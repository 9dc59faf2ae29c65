// What people type, made fit to show to others: bounded, well-formed UTF-8 without control characters. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace chat {

inline constexpr std::size_t longest_name = 20;
inline constexpr std::size_t longest_text = 512;    // bytes of one line
inline constexpr std::size_t longest_input = 1024;  // bytes that a person may type in one line

/// `text` without control characters (C0, DEL, C1), ill-formed bytes as '?', cut to longest_text at a
/// character.
std::string clean(std::string_view text);

/// 1 to longest_name of [A-Za-z0-9_-].
bool is_name(std::string_view text) noexcept;

/// A line that a person typed.
struct command {
  enum class verb : std::uint8_t { nothing, say, nick, who, tell, quit, help, unknown };
  verb what = verb::nothing;
  std::string name;  // nick, tell; unknown: what was typed
  std::string text;  // say, tell
};
command parse_command(std::string_view typed);

}  // namespace chat
