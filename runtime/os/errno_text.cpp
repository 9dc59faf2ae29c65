// errno values as words.
#include "os/errno_text.hpp"

#include <cctype>
#include <cstring>

namespace troupe::detail {

std::string errno_text(int number) {
  const char* phrase = ::strerrordesc_np(number);  // never translated, and safe in every thread
  if (phrase == nullptr) return "error " + std::to_string(number);
  std::string text = phrase;
  // A phrase in the middle of a line starts small, unless it starts with an abbreviation ("RPC ...").
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0)
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

std::string errno_name_and_text(int number) {
  const char* name = ::strerrorname_np(number);
  return (name != nullptr ? std::string(name) : std::to_string(number)) + ": " + errno_text(number);
}

}  // namespace troupe::detail
