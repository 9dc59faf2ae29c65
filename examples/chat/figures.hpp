// The line of figures that the chat programs print: "figures key=value key=value". Pure.
#pragma once

#include <charconv>
#include <cstdint>
#include <map>
#include <string>

namespace chat {

class figures_line {
 public:
  static constexpr const char* mark = "figures ";

  /// Takes over the values of `line`; those of other keys stay.
  void read(const std::string& line) {
    for (std::size_t at = line.find(' '); at != std::string::npos;) {
      const std::size_t end = line.find(' ', at + 1);
      const std::string word = line.substr(at + 1, end - at - 1);
      if (const std::size_t equals = word.find('='); equals != std::string::npos) {
        values_[word.substr(0, equals)] = word.substr(equals + 1);
      }
      at = end;
    }
  }
  /// "?" if it was never there.
  std::string text(const std::string& key) const {
    const auto found = values_.find(key);
    return found != values_.end() ? found->second : "?";
  }
  /// 0 if it was never there, or is no number.
  std::uint64_t number(const std::string& key) const {
    const std::string digits = text(key);
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace chat
