#include "allow_list.hpp"

#include <openssl/crypto.h>

#include <algorithm>

#include "handshake.hpp"

namespace troupe::detail {
namespace {

constexpr std::string_view blanks = " \t\r";

/// Takes the next word off the line; empty at its end.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

/// Fit for a terminal, and short.
std::string quoted(std::string_view word) {
  constexpr std::size_t most = 80;
  std::string text = "\"";
  for (const char c : word.substr(0, most)) text += c < ' ' || c > '~' ? '?' : c;
  return text + (word.size() > most ? "...\"" : "\"");
}

template <class T>
bool same(const T& a, const T& b) noexcept {
  return CRYPTO_memcmp(a.data(), b.data(), sizeof a) == 0;
}

}  // namespace

result<allow_list, setup_error> allow_list::parse(std::string_view text, std::string_view source) {
  const std::string file(source);
  if (text.size() > most_bytes) {
    return setup_error(file + ": an allow-list has at most " + std::to_string(most_bytes / 1024) +
                       " KiB, this is " + std::to_string(text.size() / 1024) + " KiB; is it the right file?");
  }
  allow_list list;
  std::vector<std::size_t> lines;  // of each peer
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto wrong = [&](const std::string& what) {
      return setup_error(file + ":" + std::to_string(number) + ": " + what);
    };
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view name = next_word(line);
    if (name.empty() || name.starts_with('#')) continue;
    const std::string_view word = next_word(line);
    const std::string_view more = next_word(line);
    if (!valid_node_name(name)) {
      return wrong(quoted(name) + " is no node name: 1 to 64 characters of A-Z a-z 0-9 . _ -");
    }
    if (word.empty()) {
      return wrong("no key follows the name " + quoted(name) +
                   "; a line is NAME KEY, as `troupe-keys show` prints it");
    }
    const auto key = public_key::parse(word);
    if (!key) return wrong(quoted(word) + " is no key: " + key.error());
    if (!more.empty()) {
      return wrong(quoted(more) + " follows the key; a line is NAME KEY, a comment has a line of its own");
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (list.peers_[i].key == *key) {
        return wrong("this key is on line " + std::to_string(lines[i]) +
                     " already; strike one of the two out");
      }
    }
    if (lines.size() == most_peers) {
      return wrong("an allow-list has at most " + std::to_string(most_peers) +
                   " peers; strike out who is gone");
    }
    peer& p = list.peers_.emplace_back();
    std::ranges::copy(name, p.name.begin());
    p.key = *key;
    lines.push_back(number);
  }
  return list;
}

bool allow_list::allows(std::string_view name, const public_key& key) const noexcept {
  if (!valid_node_name(name)) return false;
  peer wanted;
  std::ranges::copy(name, wanted.name.begin());
  unsigned found = 0;
  for (const peer& p : peers_) {
    found |= static_cast<unsigned>(same(p.name, wanted.name)) &
             static_cast<unsigned>(same(p.key.bytes, key.bytes));
  }
  return found != 0;
}

bool allow_list::knows(const public_key& key) const noexcept {
  unsigned found = 0;
  for (const peer& p : peers_) found |= static_cast<unsigned>(same(p.key.bytes, key.bytes));
  return found != 0;
}

std::string allow_list_line(std::string_view name, const public_key& key) {
  return std::string(name) + " " + key.text();
}

}  // namespace troupe::detail
