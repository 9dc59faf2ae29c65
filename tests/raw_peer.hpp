// A peer made of a plain socket, which says what it likes, and a node under its attack.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "frame.hpp"
#include "link_fixture.hpp"

namespace hostile {

using namespace link_test;

using bytes = std::vector<std::byte>;

inline void append(bytes& to, byte_view more) { to.insert(to.end(), more.begin(), more.end()); }

template <class... T>
bytes numbers(T... values) {
  bytes all;
  (append(all, std::as_bytes(std::span(&values, 1))), ...);
  return all;
}

inline bytes frame(const frame_header& header, byte_view body = {}) {
  bytes raw(header.bytes());
  write_frame_header(raw.data(), header, body.size());
  append(raw, body);
  return raw;
}

inline bytes message(std::uint32_t route, byte_view body) {
  return frame({frame_kind::message, route, 0, 0}, body);
}
inline bytes note_body(std::uint64_t number, std::string_view text) {
  bytes body = numbers(number, static_cast<std::uint32_t>(text.size()));
  append(body, bytes_of(text));
  return body;
}
inline bytes route(std::uint32_t number, std::uint64_t target, std::uint32_t window = 0,
                   std::uint32_t schema = 0, std::string_view text = wire_type_of<note>.schema) {
  bytes body = numbers(target, window, schema);
  append(body, bytes_of(text));
  return frame({frame_kind::route, number, 0, 0}, body);
}

/// A peer made of a plain socket, which says what it likes.
class raw_peer {
 public:
  explicit raw_peer(const endpoint& at) {
    if (at.family == endpoint::kind::tcp) {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(at.port);
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      open(reinterpret_cast<const sockaddr*>(&to), sizeof to);
    } else {
      sockaddr_un to{};
      to.sun_family = AF_UNIX;
      std::memcpy(to.sun_path, at.path.data(), at.path.size());
      to.sun_path[0] = '\0';
      open(reinterpret_cast<const sockaddr*>(&to),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + at.path.size()));
    }
  }
  ~raw_peer() { hang_up(); }

  void hang_up() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  void reset() {  // with a RST
    const linger none{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    hang_up();
  }
  void say(byte_view raw) {
    while (!raw.empty()) {
      const ssize_t n = ::send(fd, raw.data(), raw.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      raw = raw.subspan(static_cast<std::size_t>(n));
    }
  }
  bool hear(byte_span into) {
    while (!into.empty()) {
      const ssize_t n = receive(into);
      if (n <= 0) return false;
      into = into.subspan(static_cast<std::size_t>(n));
    }
    return true;
  }
  std::optional<std::pair<greeting_kind, bytes>> hear_greeting() {
    bytes eight(greeting_header_bytes);
    if (!hear(eight)) return std::nullopt;
    const auto header = parse_header(eight);
    if (!header) return std::nullopt;
    bytes body(header->length - greeting_header_bytes);
    if (!hear(body)) return std::nullopt;
    return std::pair{header->kind, body};
  }
  /// The node hangs up within ten seconds, whatever it says before that.
  bool is_closed() {
    std::byte waste[4096];
    for (;;) {
      const ssize_t n = receive(waste);
      if (n == 0 || (n < 0 && errno == ECONNRESET)) return true;
      if (n < 0) return false;
    }
  }
  static hello introduction(bool shm = false) {
    hello h;
    h.node = {"mallory", {os_env().random(), os_env().random()}};
    h.window = 128 * 1024;
    h.max_destinations = 16;
    h.max_routes = 16;
    h.wants_shm = shm;
    return h;
  }
  /// The handshake, up to the confirmation.
  bool link(const hello& mine = introduction()) {
    say(greet(greeting_kind::hello, mine));
    const auto answer = hear_greeting();
    if (!answer || answer->first != greeting_kind::welcome) return false;
    say(greet(greeting_kind::confirm));
    return true;
  }
  /// A valid segment of these frames, next in the sequence.
  bytes segment(const std::vector<bytes>& frames, std::uint64_t ack = 0) {
    segment_header header;
    header.frames = static_cast<std::uint16_t>(frames.size());
    header.first = next;
    header.ack = ack;
    bytes raw(segment_header_bytes);
    for (const bytes& f : frames) append(raw, f);
    seal_segment(header, raw, sum::xxh3);
    next += frames.size();
    return raw;
  }

  int fd = -1;
  std::uint64_t next = 1;

 private:
  ssize_t receive(byte_span into) const {
    ssize_t n = -1;
    do {
      n = ::recv(fd, into.data(), into.size(), 0);
    } while (n < 0 && errno == EINTR);
    return n;
  }
  void open(const sockaddr* to, socklen_t size) {
    fd = ::socket(to->sa_family, SOCK_STREAM, 0);
    const timeval limit{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (::connect(fd, to, size) != 0) throw std::runtime_error("cannot connect to the node");
  }
};

/// A node under attack, with an honest link that must not notice.
struct attacked_node {
  static constexpr std::uint32_t max_message = 1 << 20;
  attacked_node()
      : node({1, io_backend::automatic, true, "victim"},
             [](link_options& o) { o.max_message = max_message; }),
        friendly({1, io_backend::automatic, true, "friend"}) {
    at = node.listen();
    node.start();
    friendly.start();
    friendly.join(at);
    node.linked();
  }
  /// The attacker's link went down because it broke the rules, saying `why`; the honest one still works.
  bool closed_for(const char* why) {
    const bool down = node.host.wait_until([](record& r) { return !r.downs.empty(); });
    if (!down) return false;
    const auto [how, text] = node.down();
    INFO(text);
    CHECK(how == link_end::violated);
    CHECK(text.find(why) != std::string::npos);
    return others_unharmed();
  }
  bool others_unharmed() {
    const std::size_t before = node.host.with([](record& r) { return r.arrivals.size(); });
    CHECK(friendly.send(0, 99, 1) == send_outcome::sent);
    return node.host.wait_until([&](record& r) { return r.arrivals.size() > before; });
  }
  test_node node;
  test_node friendly;
  endpoint at;
};

}  // namespace hostile
