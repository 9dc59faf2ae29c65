// Hostile peers with real bytes: the numbers are the rows of the table of bad inputs and faults.
#include "catch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <random>

#include "frame.hpp"
#include "link_fixture.hpp"
#include "shm_memory.hpp"

using namespace link_test;

namespace {

using bytes = std::vector<std::byte>;

void append(bytes& to, byte_view more) { to.insert(to.end(), more.begin(), more.end()); }

template <class... T>
bytes numbers(T... values) {
  bytes all;
  (append(all, std::as_bytes(std::span(&values, 1))), ...);
  return all;
}

bytes frame(const frame_header& header, byte_view body = {}) {
  bytes raw(header.bytes());
  write_frame_header(raw.data(), header, body.size());
  append(raw, body);
  return raw;
}

bytes message(std::uint32_t route, byte_view body) { return frame({frame_kind::message, route, 0, 0}, body); }
bytes note_body(std::uint64_t number, std::string_view text) {
  bytes body = numbers(number, static_cast<std::uint32_t>(text.size()));
  append(body, bytes_of(text));
  return body;
}
bytes route(std::uint32_t number, std::uint64_t target, std::uint32_t window = 0, std::uint32_t schema = 0,
            std::string_view text = wire_type_of<note>.schema) {
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
    seal_segment(header, raw);
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
  attacked_node() : node({1, io_backend::automatic, true, "victim"}), friendly({1, io_backend::automatic, true, "friend"}) {
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

}  // namespace

TEST_CASE("row 1: a segment or frame length of all ones, zero or less than the header closes the link") {
  for (const std::uint32_t length : {~0u, 0u, 31u}) {
    attacked_node victim;
    raw_peer peer(victim.at);
    REQUIRE(peer.link());
    bytes raw = peer.segment({});
    store<std::uint32_t>(raw.data() + 8, length);
    peer.say(raw);
    CHECK(peer.is_closed());
    CHECK(victim.closed_for("impossible length"));
  }
  for (const std::uint32_t length : {0xFFFFFFu, 0u, 7u}) {
    attacked_node victim;
    raw_peer peer(victim.at);
    REQUIRE(peer.link());
    peer.say(peer.segment({numbers(length | 1u << 24, 0u)}));
    CHECK(peer.is_closed());
    CHECK(victim.closed_for("length, kind or flag"));
  }
}

TEST_CASE("row 2: an unknown kind or flag closes the link, and the kinds 12 to 15 are skipped") {
  for (const std::uint32_t word : {8u, 8u | 7u << 24, 8u | 11u << 24, 8u | 1u << 24 | 4u << 28, 8u | 6u << 24 | 8u << 28}) {
    attacked_node victim;
    raw_peer peer(victim.at);
    REQUIRE(peer.link());
    peer.say(peer.segment({numbers(word, 0u)}));
    CHECK(peer.is_closed());
    CHECK(victim.closed_for("length, kind or flag"));
  }
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  peer.say(peer.segment({numbers(8u | 12u << 24, 0u), numbers(16u | 15u << 24 | 15u << 28, 1u, 2u, 3u), route(0, 5),
                         message(0, note_body(1, "after"))}));
  CHECK(victim.node.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
}

TEST_CASE("row 3: bytes one at a time are accepted, in the handshake and after it") {
  attacked_node victim;
  raw_peer peer(victim.at);
  const auto drip = [&](const bytes& raw) {
    for (const std::byte& b : raw) peer.say({&b, 1});
  };
  drip(greet(greeting_kind::hello, raw_peer::introduction()));
  REQUIRE(peer.hear_greeting());
  drip(greet(greeting_kind::confirm));
  drip(peer.segment({route(0, 5), message(0, note_body(1, "drop by drop"))}));
  drip(peer.segment({message(0, note_body(2, "again"))}));
  CHECK(victim.node.host.wait_until([](record& r) { return r.arrivals.size() == 2; }));
}

TEST_CASE("row 4: a truncated segment and an end of stream discard the rest and end the link") {
  for (const bool reset : {false, true}) {
    attacked_node victim;
    raw_peer peer(victim.at);
    REQUIRE(peer.link());
    peer.say(peer.segment({route(0, 5), message(0, note_body(1, "whole"))}));
    REQUIRE(victim.node.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
    const bytes second = peer.segment({message(0, note_body(2, "never"))});
    peer.say(byte_view(second).first(second.size() - 1));
    reset ? peer.reset() : peer.hang_up();
    REQUIRE(victim.node.host.wait_until([](record& r) { return r.downs.size() == 1; }));
    CHECK(victim.node.down().first == link_end::unreachable);
    CHECK(victim.node.host.with([](record& r) { return r.arrivals.size(); }) == 1);
    CHECK(victim.others_unharmed());
  }
}

TEST_CASE("row 5: a wrong checksum closes the link") {
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  bytes raw = peer.segment({route(0, 5), message(0, note_body(1, "text"))});
  raw.back() ^= std::byte{1};
  peer.say(raw);
  CHECK(peer.is_closed());
  CHECK(victim.closed_for("checksum"));
  CHECK(victim.node.host.with([](record& r) { return r.arrivals.size(); }) == 1);  // the friend's
}

TEST_CASE("row 6: a count that claims 2^32 items is refused and closes the link") {
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  peer.say(peer.segment({route(0, 5), message(0, numbers(std::uint64_t{1}, ~0u))}));
  CHECK(peer.is_closed());
  CHECK(victim.closed_for("does not decode"));
}

TEST_CASE("row 9: a segment that was received already is dropped and counted") {
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  REQUIRE(victim.node.host.wait_until([](record& r) { return r.ups.size() == 2; }));
  auto& link = dynamic_cast<link_session&>(victim.node.link());
  const bytes first = peer.segment({route(0, 5), message(0, note_body(1, "once"))});
  peer.say(first);
  peer.say(first);
  peer.say(peer.segment({message(0, note_body(2, "next"))}));
  REQUIRE(victim.node.host.wait_until([](record& r) { return r.arrivals.size() == 2; }));
  CHECK(link.duplicates() == 1);
  CHECK(victim.node.host.with([](record& r) { return r.arrivals[1].number; }) == 2);
}

TEST_CASE("a gap in the sequence numbers closes the link") {
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  peer.next = 2;
  peer.say(peer.segment({route(0, 5)}));
  CHECK(peer.is_closed());
  CHECK(victim.closed_for("gap"));
}

TEST_CASE("row 10: an ack that goes back is ignored, an ack of what was never sent closes the link") {
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  REQUIRE(victim.node.host.wait_until([](record& r) { return r.ups.size() == 2; }));
  for (int i = 0; i < 3; ++i) {  // three messages in three segments to the attacker
    REQUIRE(victim.node.send(0, 1, 1) == send_outcome::sent);
  }
  bytes header(segment_header_bytes);
  std::uint64_t received = 0;
  while (received < 4) {  // the route and three messages
    REQUIRE(peer.hear(header));
    const segment_header h = read_segment_header(header.data());
    bytes rest(h.length - segment_header_bytes);
    REQUIRE(peer.hear(rest));
    received += h.frames;
  }
  peer.say(peer.segment({}, received));
  REQUIRE(victim.node.host.wait_until([](record& r) { return r.acked == 3; }));
  peer.say(peer.segment({}, 1));  // backwards
  peer.say(peer.segment({route(0, 5), message(0, note_body(1, "alive"))}));
  REQUIRE(victim.node.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
  CHECK(victim.node.host.with([](record& r) { return r.acked; }) == 3);
  peer.say(peer.segment({}, received + 1000));
  CHECK(peer.is_closed());
  CHECK(victim.closed_for("never sent"));
}

TEST_CASE("row 11: credit that was never owed, and sending beyond credit, close the link") {
  for (const std::uint32_t much : {1u, 128u * 1024, ~0u}) {
    attacked_node victim;
    raw_peer peer(victim.at);
    REQUIRE(peer.link());
    peer.say(peer.segment({frame({frame_kind::credit, 0, 0, 0}, numbers(0u, much))}));
    CHECK(peer.is_closed());
    CHECK(victim.closed_for("credit"));
  }
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  std::vector<bytes> frames{route(0, 1'000'000)};
  peer.say(peer.segment(frames));
  const bytes body = note_body(1, std::string(60'000, 'x'));
  for (int i = 0; i < 3; ++i) peer.say(peer.segment({message(0, body)}));
  CHECK(peer.is_closed());
  CHECK(victim.closed_for("beyond its destination's credit"));
  CHECK(victim.node.host.with([](record& r) { return r.held.size(); }) == 2);
}

TEST_CASE("routes, destinations and schemas over their limits close the link") {
  const std::pair<bytes, const char*> lies[] = {
      {route(4096, 1), "route number"},
      {route(0, 1, 1024), "destination number"},
      {route(0, 1, 0, 256), "schema number"},
      {route(0, 1, 0, 3, ""), "schema that was never told"},
      {route(0, 1, 0, 0, std::string(max_schema_text + 1, 's')), "schema text"},
      {message(0, note_body(1, "")), "never named"},
      {frame({frame_kind::route, 0, 0, 0}, numbers(1u)), "too short"},
      {frame({frame_kind::control, 0, 0, 0}, numbers(1u)), "too short"},
      {frame({frame_kind::control, 0, 0, 0}, bytes(16 + 257)), "over its limits"},
      {frame({frame_kind::reply, 0, 0, 0}), "without a correlation"},
      {frame({frame_kind::reply, 200, 1, 0}), "unknown status"},
      {frame({frame_kind::credit, 0, 0, 0}, numbers(1u)), "wrong length"},
      {frame({frame_kind::goodbye, 0, 0, 0}, numbers(1u)), "goodbye with a body"},
      {frame({frame_kind::control, 0, 9, 0}, bytes(16)), "correlation"},
  };
  for (const auto& [lie, why] : lies) {
    attacked_node victim;
    raw_peer peer(victim.at);
    REQUIRE(peer.link());
    peer.say(peer.segment({lie}));
    CHECK(peer.is_closed());
    CHECK(victim.closed_for(why));
  }
}

TEST_CASE("row 15: HTTP and random bytes on the port are hung up on at once") {
  attacked_node victim;
  std::mt19937 random(15);
  for (int i = 0; i < 20; ++i) {
    raw_peer peer(victim.at);
    bytes garbage(64);
    for (std::byte& b : garbage) b = static_cast<std::byte>(random());
    peer.say(i == 0 ? bytes_of("GET / HTTP/1.1\r\nHost: here\r\n\r\n") : byte_view(garbage));
    CHECK(peer.is_closed());
  }
  CHECK(victim.others_unharmed());
  CHECK(victim.node.host.with([](record& r) { return r.ups.size(); }) == 1);
}

TEST_CASE("random frames inside valid segments never do harm") {
  std::mt19937 random(16);
  for (int i = 0; i < 200; ++i) {
    static attacked_node victim;
    raw_peer peer(victim.at);
    REQUIRE(peer.link());
    for (int s = 0; s < 5; ++s) {
      std::vector<bytes> frames;
      for (int f = 0; f < 4; ++f) {
        bytes body(random() % 64);
        for (std::byte& b : body) b = static_cast<std::byte>(random() % 4);
        frames.push_back(frame({static_cast<frame_kind>(1 + random() % 6), static_cast<std::uint32_t>(random() % 4),
                                random() % 3, 0},
                               body));
      }
      peer.say(peer.segment(frames));
    }
    peer.hang_up();
    if (i % 50 == 49) CHECK(victim.others_unharmed());
  }
}

TEST_CASE("row 14: a peer that does not finish the handshake is hung up on, and the others are unharmed") {
  test_node node({1, io_backend::automatic, true, "victim"}, [](link_options& o) { o.handshake_deadline = 100ms; });
  const endpoint at = node.listen();
  node.start();
  raw_peer silent(at);
  raw_peer slow(at);
  slow.say(byte_view(greet(greeting_kind::hello, raw_peer::introduction())).first(20));
  CHECK(silent.is_closed());
  CHECK(slow.is_closed());
  raw_peer honest(at);
  CHECK(honest.link());
}

TEST_CASE("row 14: idle strangers hold a bounded number of slots") {
  attacked_node victim;
  std::vector<std::unique_ptr<raw_peer>> strangers;
  for (int i = 0; i < 400; ++i) strangers.push_back(std::make_unique<raw_peer>(victim.at));
  CHECK(strangers.back()->is_closed());
  CHECK(victim.others_unharmed());
}

TEST_CASE("row 19: another wire version is refused clearly, a later minor one is accepted") {
  attacked_node victim;
  for (const int major : {wire_major - 1, wire_major + 1}) {
    raw_peer peer(victim.at);
    bytes raw = greet(greeting_kind::hello, raw_peer::introduction());
    raw[5] = static_cast<std::byte>(major);
    peer.say(raw);
    const auto answer = peer.hear_greeting();
    REQUIRE(answer.has_value());
    CHECK(answer->first == greeting_kind::refused);
    const auto no = parse_refusal(answer->second);
    REQUIRE(no.has_value());
    CHECK(no->code == refusal_code::version);
    CHECK(no->text.find("wire version 1 here and " + std::to_string(major) + " there") != std::string::npos);
    CHECK(peer.is_closed());
  }
  hello later = raw_peer::introduction();
  later.minor = wire_minor + 1;
  raw_peer peer(victim.at);
  CHECK(peer.link(later));
}

TEST_CASE("a second link of the same incarnation is refused while the first one lives") {
  attacked_node victim;
  const hello mine = raw_peer::introduction();
  raw_peer first(victim.at);
  REQUIRE(first.link(mine));
  REQUIRE(victim.node.host.wait_until([](record& r) { return r.ups.size() == 2; }));
  raw_peer second(victim.at);
  second.say(greet(greeting_kind::hello, mine));
  const auto answer = second.hear_greeting();
  REQUIRE(answer.has_value());
  CHECK(answer->first == greeting_kind::refused);
  CHECK(parse_refusal(answer->second)->code == refusal_code::already_linked);
  CHECK(second.is_closed());
}

namespace {

/// A hostile peer on shared memory: it links honestly up to the memory, and then writes what it likes there.
struct shm_attacker {
  explicit shm_attacker(const endpoint& tcp) : peer(beside(tcp)) {
    REQUIRE(peer.link(raw_peer::introduction(true)));
    memory = prepare_shm(os_env(), 1, 1, smallest_ring);
    REQUIRE(memory.offer.ok);
  }
  static endpoint beside(const endpoint& tcp) {
    endpoint local;
    local.family = endpoint::kind::local;
    local.path = "@troupe-" + std::to_string(os_env().user_id()) + "-" + std::to_string(tcp.port);
    return local;
  }
  /// Offers these descriptors and takes what the node offers; the node's verdict.
  std::optional<memory_offer> offer(std::span<const int> descriptors) {
    REQUIRE(os_env().send_descriptors(peer.fd, greet(greeting_kind::memory, memory.offer), descriptors).has_value());
    heard theirs;
    bytes raw(greeting_header_bytes + 5);
    pollfd readable{peer.fd, POLLIN, 0};
    ::poll(&readable, 1, 10'000);
    auto got = os_env().receive_descriptors(peer.fd, raw, 2);
    if (!got || got->bytes != raw.size()) return std::nullopt;
    theirs.header = *parse_header(byte_view(raw).first(greeting_header_bytes));
    theirs.body = {raw.begin() + greeting_header_bytes, raw.end()};
    theirs.descriptors = std::move(got->descriptors);
    const memory_offer mine = map_peer_shm(os_env(), memory, theirs);
    peer.say(greet(greeting_kind::mapped, mine));
    const auto verdict = peer.hear_greeting();
    if (!verdict || verdict->first != greeting_kind::mapped) return std::nullopt;
    return parse_memory_offer(verdict->second);
  }
  void ring() { os_env().signal_event(memory.peer_doorbell.get()); }

  raw_peer peer;
  shm_pair memory;
};

test_node& start(test_node& node, endpoint& at) {
  at = node.listen();
  node.start();
  return node;
}

}  // namespace

TEST_CASE("row 23: ring positions out of range, backwards or misaligned close the lane") {
  for (const std::uint64_t lie : {~std::uint64_t{0}, std::uint64_t{smallest_ring} + 8, std::uint64_t{3}}) {
    endpoint at;
    test_node node({1, io_backend::automatic, false, "victim"});
    start(node, at);
    shm_attacker attacker(at);
    const int fds[] = {attacker.memory.memory_fd.get(), attacker.memory.doorbell.get()};
    const auto verdict = attacker.offer(fds);
    REQUIRE(verdict.has_value());
    REQUIRE(verdict->ok);
    REQUIRE(node.linked());
    REQUIRE(node.link().lane() == lane_kind::shm);
    attacker.memory.mine.writer(0).position = lie;
    attacker.ring();
    REQUIRE(node.unlinked());
    CHECK(node.down().first == link_end::violated);
  }
}

TEST_CASE("row 23: a read position that was never written closes the lane") {
  endpoint at;
  test_node node({1, io_backend::automatic, false, "victim"});
  start(node, at);
  shm_attacker attacker(at);
  const int fds[] = {attacker.memory.memory_fd.get(), attacker.memory.doorbell.get()};
  REQUIRE((attacker.offer(fds)).has_value());
  REQUIRE(node.linked());
  attacker.memory.mine.reader(0).position = std::uint64_t{1} << 50;
  send_outcome how = send_outcome::sent;
  for (std::uint64_t target = 1; how == send_outcome::sent && target < 16; ++target) {
    how = node.send(0, target, 1, 60'000);
  }
  CHECK(how == send_outcome::blocked);
  REQUIRE(node.unlinked());
  CHECK(node.down().first == link_end::violated);
}

TEST_CASE("row 24: memory that is unsealed, short or missing is refused, and the socket carries the link") {
  for (const char* const lie : {"unsealed", "short", "an event"}) {
    INFO(lie);
    endpoint at;
    test_node node({1, io_backend::automatic, false, "victim"});
    start(node, at);
    shm_attacker attacker(at);
    const std::size_t size = shm_segment::size_for(1, 1, smallest_ring);
    descriptor unsealed(os_env(), ::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    REQUIRE(::ftruncate(unsealed.get(), static_cast<off_t>(size)) == 0);
    auto small = os_env().create_segment(4096);
    REQUIRE(small.has_value());
    const int memory = lie == std::string("unsealed") ? unsealed.get()
                       : lie == std::string("short")  ? small->first.get()
                                                      : attacker.memory.doorbell.get();
    const int fds[] = {memory, attacker.memory.doorbell.get()};
    const auto verdict = attacker.offer(fds);
    REQUIRE(verdict.has_value());
    CHECK_FALSE(verdict->ok);
    REQUIRE(node.linked());
    CHECK(node.link().lane() == lane_kind::local_socket);
    CHECK(node.link().lane_reason().find("shared memory could not be set up") != std::string::npos);
  }
}

TEST_CASE("row 25: a hundred descriptors in one message are refused") {
  endpoint at;
  test_node node({1, io_backend::automatic, false, "victim"});
  start(node, at);
  shm_attacker attacker(at);
  const std::vector<int> fds(100, attacker.memory.doorbell.get());
  CHECK_FALSE((attacker.offer(fds)).has_value());
  CHECK(attacker.peer.is_closed());
  CHECK(node.host.with([](record& r) { return r.ups.empty(); }));
}
