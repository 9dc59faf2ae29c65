// Hostile peers on a socket, with real bytes: the rows are those of the contract's table of bad inputs.
#include "catch.hpp"

#include <fcntl.h>

#include <atomic>
#include <cerrno>
#include <random>

#include <troupe/log.hpp>

#include "raw_peer.hpp"

using namespace hostile;

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

TEST_CASE("row 2: an unknown kind closes the link, and the kinds 12 to 15 are skipped") {
  for (const std::uint32_t word : {8u, 8u | 11u << 24}) {
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
  peer.say(peer.segment({numbers(8u | 12u << 24, 0u), numbers(16u | 15u << 24 | 15u << 28, 1u, 2u, 3u),
                         route(0, 5), message(0, note_body(1, "after"))}));
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

TEST_CASE("row 8: chunks of nothing, inside another's, beyond the end or without end close the link") {
  const bytes first = note_body(1, std::string(1000, 'x'));
  const auto begins = [&](std::uint64_t total, byte_view body) {
    return frame({frame_kind::message, 0, 0, 0, total}, body);
  };
  const auto chunk = [](std::size_t size) { return frame({frame_kind::chunk}, bytes(size)); };
  const std::uint64_t most = attacked_node::max_message;
  const std::pair<std::vector<bytes>, const char*> lies[] = {
      {{chunk(1)}, "chunk of nothing"},
      {{begins(most + 1, first)}, "over its limit"},
      {{begins(~std::uint64_t{0} >> 1, first)}, "over its limit"},
      {{begins(~std::uint64_t{0}, first)}, "does not exist"},
      {{begins(first.size(), first)}, "that is whole"},
      {{begins(1, first)}, "that is whole"},
      {{begins(most, {})}, "length that cannot be"},
      {{begins(most, first), begins(most, first)}, "credit"},
      {{begins(70'000, first), begins(70'000, first)}, "inside another"},
      {{begins(70'000, first), frame({frame_kind::reply, 0, 1, 0, 70'000}, first)}, "inside another"},
      {{begins(70'000, first), frame({frame_kind::chunk})}, "length that cannot be"},
      {{begins(1100, first), chunk(1100)}, "length that cannot be"},
      {{frame({frame_kind::control, 0, 0, 0, 70'000}, bytes(16))}, "chunks of what has none"},
      {{frame({frame_kind::reply, 0, 1, 0, most + 1}, first)}, "over its limit"},
  };
  for (const auto& [frames, why] : lies) {
    INFO(why);
    attacked_node victim;
    raw_peer peer(victim.at);
    REQUIRE(peer.link());
    peer.say(peer.segment({route(0, 1'000'000)}));
    for (const bytes& f : frames) peer.say(peer.segment({f}));
    CHECK(peer.is_closed());
    CHECK(victim.closed_for(why));
  }
}

TEST_CASE("row 8: what is announced and never comes costs nothing and goes with its link") {
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  peer.say(peer.segment({route(0, 5), route(1, 6, 1),
                         frame({frame_kind::message, 0, 0, 0, attacked_node::max_message},
                               note_body(1, std::string(1000, 'x'))),
                         message(1, note_body(2, "between"))}));
  CHECK(victim.node.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
  peer.hang_up();
  CHECK(victim.node.unlinked());
  CHECK(victim.others_unharmed());
}

TEST_CASE("row 9: a segment that was received already is dropped and counted") {
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  REQUIRE(victim.node.host.wait_until([](record& r) { return r.ups.size() == 2; }));
  const bytes first = peer.segment({route(0, 5), message(0, note_body(1, "once"))});
  peer.say(first);
  peer.say(first);
  peer.say(peer.segment({message(0, note_body(2, "next"))}));
  REQUIRE(victim.node.host.wait_until([](record& r) { return r.arrivals.size() == 2; }));
  CHECK(victim.node.with_link([](session& s) { return dynamic_cast<link_session&>(s).duplicates(); }) == 1);
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
        frames.push_back(frame({static_cast<frame_kind>(1 + random() % 7),
                                static_cast<std::uint32_t>(random() % 4), random() % 3, 0, random() % 100},
                               body));
      }
      peer.say(peer.segment(frames));
    }
    peer.hang_up();
    if (i % 50 == 49) CHECK(victim.others_unharmed());
  }
}

TEST_CASE("row 14: a peer that does not finish the handshake is hung up on, and the others are unharmed") {
  test_node node({1, io_backend::automatic, true, "victim"},
                 [](link_options& o) { o.handshake_deadline = 100ms; });
  const endpoint at = node.listen();
  node.start();
  raw_peer silent(at);
  raw_peer halfway(at);
  halfway.say(byte_view(greet(greeting_kind::hello, raw_peer::introduction())).first(20));
  CHECK(silent.is_closed());
  CHECK(halfway.is_closed());
  raw_peer honest(at);
  CHECK(honest.link());
}

TEST_CASE("row 14: idle strangers hold a bounded number of slots") {
  attacked_node victim;
  std::vector<std::unique_ptr<raw_peer>> strangers;
  for (int i = 0; i < 400; ++i) strangers.push_back(std::make_unique<raw_peer>(victim.at));
  CHECK(strangers.front()->is_closed());
  raw_peer honest(victim.at);
  CHECK(honest.link());  // at once: the oldest gives way
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
    CHECK(no->text.find("wire version " + std::to_string(wire_major) + " here and " + std::to_string(major) +
                        " there") != std::string::npos);
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

TEST_CASE("row 29: out of descriptors, a node pauses accepting, says so, and recovers") {
  attacked_node victim;
  std::promise<std::string> warned;
  std::atomic<bool> told = false;
  set_log_sink([&](log_level, std::string_view line) {
    if (line.find("EMFILE") != line.npos && !told.exchange(true)) warned.set_value(std::string(line));
  });
  std::vector<descriptor> hoard;
  for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) hoard.emplace_back(os_env(), fd);
  REQUIRE(errno == EMFILE);
  hoard.pop_back();
  raw_peer peer(victim.at);
  auto warning = warned.get_future();
  const bool paused = warning.wait_for(10s) == std::future_status::ready;
  CHECK(victim.others_unharmed());
  hoard.clear();
  set_log_sink({});
  REQUIRE(paused);
  CHECK(warning.get().find(victim.at.url() + ": cannot accept: ") == 0);
  CHECK(peer.link());
}

TEST_CASE("a deadline on a message that is no request closes the link") {
  attacked_node victim;
  raw_peer peer(victim.at);
  REQUIRE(peer.link());
  frame_header header{frame_kind::message, 0, 0, 1'000'000};
  peer.say(peer.segment({route(0, 5), frame(header, note_body(1, "late"))}));
  CHECK(peer.is_closed());
  CHECK(victim.closed_for("a deadline on no request"));
}
