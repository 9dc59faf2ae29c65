// The allow-list: which nodes may link with this one, each by its name and its key. A text, one peer a line:
//
//   # what a line of `#` says is for people
//   NAME KEY        as `troupe-keys new` and `troupe-keys show` print it
//
// A name may have several keys, so that a node can change its own: the new key is added everywhere, the node starts with it,
// the old one is struck out. A key has one name. Pure; thread-safe, for it never changes.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "node_key.hpp"

namespace troupe::detail {

class allow_list {
 public:
  static constexpr std::size_t most_bytes = 256 * 1024;  // of the text
  static constexpr std::size_t most_peers = 1024;

  /// `source` is what the text is called in the error: its file. The error names it, the line, and what is wrong.
  static result<allow_list, setup_error> parse(std::string_view text, std::string_view source);

  /// Whether a peer with that key may call itself so. Looks at every entry in the same way whatever it finds, so that the
  /// time it takes tells a stranger nothing about the list.
  bool allows(std::string_view name, const public_key& key) const noexcept;
  /// Whether any name has that key.
  bool knows(const public_key& key) const noexcept;
  std::size_t size() const noexcept { return peers_.size(); }

 private:
  struct peer {
    std::array<char, 64> name{};  // padded with zeros, so that all are of one length
    public_key key;
  };
  std::vector<peer> peers_;
};

/// The line of the list for this node.
std::string allow_list_line(std::string_view name, const public_key& key);

}  // namespace troupe::detail
