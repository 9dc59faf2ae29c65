#include "chat/tick.hpp"

#include <algorithm>
#include <charconv>

namespace chat {
namespace {

constexpr std::size_t most_speakers = 1000;

template <class T>
bool take_number(std::string_view& s, char mark, T& out) {
  if (s.empty() || s.front() != mark) return false;
  const auto [end, failure] = std::from_chars(s.data() + 1, s.data() + s.size(), out);
  if (failure != std::errc()) return false;
  s.remove_prefix(static_cast<std::size_t>(end - s.data()));
  s.remove_prefix(std::min<std::size_t>(s.find_first_not_of(' '), s.size()));
  return true;
}

}  // namespace

std::string tick_text(const tick& t, std::size_t length) {
  std::string text = "#" + std::to_string(t.number) + " @" + std::to_string(t.at);
  if (text.size() + 1 < length) text += " " + std::string(length - text.size() - 1, '.');
  return text;
}

std::optional<tick> parse_tick(std::string_view text) {
  tick t;
  if (!take_number(text, '#', t.number) || !take_number(text, '@', t.at)) return std::nullopt;
  return t;
}

void tick_book::heard(const std::string& speaker, const tick& t) {
  ++heard_;
  const auto known = last_.find(speaker);
  if (known == last_.end()) {
    if (last_.size() < most_speakers) last_.emplace(speaker, t.number);
    if (since_ == listens::from_the_first && t.number > allowed_ + 1) ++disorder_;
    return;
  }
  const std::uint64_t gap = t.number - known->second - 1;  // wraps when it goes backwards
  if (gap > allowed_) {
    ++disorder_;
  } else {
    allowed_ -= gap;
  }
  known->second = t.number;
}

std::uint64_t tick_book::last_of(const std::string& speaker) const {
  const auto known = last_.find(speaker);
  return known != last_.end() ? known->second : 0;
}

}  // namespace chat
