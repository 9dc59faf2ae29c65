// One input of the fuzzer of secure channels (channel_fuzzer.cpp; secure_channel_test.cpp runs it on random ones): two honest channels, and
// somebody between them who passes on, holds up, changes, adds and drops bytes. Whatever that does, each side hears a beginning of what the
// other has said and nothing else, keeps no more than its bound, and knows the other by its true key. If it changes nothing, all is heard.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <span>

#include "tls_kit.hpp"

namespace fuzz {

using namespace tls_test;

class channels_under_attack {
 public:
  explicit channels_under_attack(std::span<const std::uint8_t> input) : rest_(input) {}

  void run() {
    while (!rest_.empty()) {
      direction& d = number() % 2 == 0 ? there_ : back_;
      switch (number() % 8) {
        case 0: say(d, number() % 64); break;
        case 1: say(d, number() * 160); break;
        case 2: pass_on(d, number(), number()); break;
        case 3: pass_on(d, d.wire.size(), number() * 100); break;
        case 4: touch(d, [&](std::size_t at) { d.wire[at] ^= static_cast<std::byte>(number()); }); break;
        case 5: touch(d, [&](std::size_t at) { d.wire.resize(at); }); break;
        case 6: {
          const auto more = std::as_bytes(take(number()));
          touch(d, [&](std::size_t at) {
            d.wire.insert(d.wire.begin() + static_cast<long>(at), more.begin(), more.end());
          });
          break;
        }
        default:
          if (number() % 4 == 0) {
            d.from.close();
            d.closed |= d.from.state() == stage::open;
          }
      }
    }
    for (bool more = true; more;) {
      more = false;
      for (direction* d : {&there_, &back_}) {
        more |= say(*d, 0);
        more |= pass_on(*d, d->wire.size(), 64 * 1024);
      }
    }
    if (touched_) return;
    for (const direction* d : {&there_, &back_}) {
      must(d->from.state() != stage::failed && d->to.state() != stage::failed,
           "a channel failed that nobody has touched");
      must(d->heard == d->said, "something was not heard");
    }
  }

 private:
  struct direction {
    secure_channel& from;
    secure_channel& to;
    const party& speaker;
    bytes wire{};
    std::size_t said = 0;  // so many bytes, the n-th of which is letter(n)
    std::size_t heard = 0;
    bool closed = false;
  };

  static void must(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "secure channel: %s\n", what);
    std::abort();
  }
  static std::byte letter(std::size_t n) { return static_cast<std::byte>(n * 2654435761u >> 13); }

  std::size_t number() { return rest_.empty() ? 0 : take(1)[0]; }
  std::span<const std::uint8_t> take(std::size_t most) {
    const auto some = rest_.first(std::min(most, rest_.size()));
    rest_ = rest_.subspan(some.size());
    return some;
  }

  bool say(direction& d, std::size_t size) {
    bytes text(size);
    for (std::size_t i = 0; i < size; ++i) text[i] = letter(d.said + i);
    bytes room(secure_channel::encrypted_size(size) + number());
    const auto did = d.from.encrypt(text, room);
    must(did.taken == 0 || !d.closed, "something was said after a goodbye");
    d.said += did.taken;
    d.wire.insert(d.wire.end(), room.begin(), room.begin() + static_cast<long>(did.made));
    return did.made != 0;
  }
  bool pass_on(direction& d, std::size_t size, std::size_t room_size) {
    bytes room(room_size);
    const auto did = d.to.decrypt(byte_view(d.wire).first(std::min(size, d.wire.size())), room);
    d.wire.erase(d.wire.begin(), d.wire.begin() + static_cast<long>(did.taken));
    for (std::size_t i = 0; i < did.made; ++i)
      must(room[i] == letter(d.heard + i), "something was heard that nobody has said");
    d.heard += did.made;
    must(d.heard <= d.said, "more was heard than was said");
    if (d.to.state() == stage::open) must(d.to.peer_key() == d.speaker.key.public_half(), "the wrong key");
    return did.taken != 0 || did.made != 0;
  }
  template <class Change>
  void touch(direction& d, const Change& change) {
    if (d.wire.empty()) return;
    touched_ = true;
    change((number() << 8 | number()) % d.wire.size());
  }

  std::span<const std::uint8_t> rest_;
  pair two_;
  direction there_{two_.dialer, two_.acceptor, ann()};
  direction back_{two_.acceptor, two_.dialer, bob()};
  bool touched_ = false;
};

}  // namespace fuzz
