// Two secure channels and what goes between them, for the tests of TLS.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "credentials.hpp"
#include "node_key.hpp"
#include "secure_channel.hpp"

namespace tls_test {

using namespace troupe::detail;
using bytes = std::vector<std::byte>;
using side = secure_channel::side;
using stage = secure_channel::stage;

inline bool anybody(const public_key&) { return true; }
inline bytes bytes_from(std::string_view text) {
  const byte_view view = bytes_of(text);
  return {view.begin(), view.end()};
}
inline std::string text_from(byte_view view) {
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

/// A node with a key of its own.
struct party {
  explicit party(std::string_view name)
      : key(node_key::make().value()), own(credentials::make(key, name).value()) {}
  node_key key;
  credentials own;
};

/// Keys take a while to make, so the tests share two.
inline const party& ann() {
  static const party p("ann");
  return p;
}
inline const party& bob() {
  static const party p("bob");
  return p;
}

/// All that the channel has to send, with `plain` if it takes it.
inline bytes output_of(secure_channel& from, byte_view plain = {}) {
  bytes all;
  bytes room(secure_channel::encrypted_size(64 * 1024));
  while (true) {
    const auto did = from.encrypt(plain, room);
    plain = plain.subspan(did.taken);
    all.insert(all.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(did.made));
    if (did.made == 0 && did.taken == 0) return all;
  }
}

/// Gives it to the channel in pieces, and returns what it says.
inline bytes input_to(secure_channel& to, byte_view cipher, std::size_t piece = 64 * 1024) {
  bytes all;
  bytes room(32 * 1024);
  while (true) {
    const auto did = to.decrypt(cipher.first(std::min(piece, cipher.size())), room);
    cipher = cipher.subspan(did.taken);
    all.insert(all.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(did.made));
    if (did.made == 0 && did.taken == 0) return all;
  }
}

/// Passes on what the two have to say themselves, until neither has anything.
inline void talk(secure_channel& a, secure_channel& b, std::size_t piece = 64 * 1024) {
  while (a.has_output() || b.has_output()) {
    input_to(b, output_of(a), piece);
    input_to(a, output_of(b), piece);
  }
}

/// Ann has dialled Bob.
struct pair {
  explicit pair(key_check known_to_ann = anybody, key_check known_to_bob = anybody,
                std::uint32_t rekey_after = secure_channel::records_of_a_key)
      : dialer(ann().own, side::dialer, std::move(known_to_ann), rekey_after),
        acceptor(bob().own, side::acceptor, std::move(known_to_bob), rekey_after) {}
  secure_channel dialer;
  secure_channel acceptor;
};

struct open_pair : pair {
  explicit open_pair(std::uint32_t rekey_after = secure_channel::records_of_a_key)
      : pair(anybody, anybody, rekey_after) {
    talk(dialer, acceptor);
  }
};

/// Bytes in which nothing repeats that a record's length could hide.
inline bytes pattern(std::size_t size) {
  bytes all(size);
  std::uint32_t x = 1;
  for (std::byte& b : all) {
    x = x * 1664525 + 1013904223;
    b = static_cast<std::byte>(x >> 24);
  }
  return all;
}

}  // namespace tls_test
