// Sessions that outlive their connections: over a proxy that cuts them, and with a peer that says what it likes.
#include "cut_pair.hpp"

using namespace cuts;

TEST_CASE("resume: over connections that are cut everything arrives once and in order, both ways") {
  const unsigned workers = GENERATE(1u, 2u);
  const io_backend io = GENERATE(io_backend::automatic, io_backend::asio);
  INFO(workers << " " << to_string(io));
  cut_pair nodes(workers, io);
  nodes.proxy->cut_each(1000, 60'000);
  nodes.proxy->cut_now(cut::reset);
  constexpr std::uint64_t count = 1500;
  for (std::uint64_t i = 0; i < count; ++i) {
    for (unsigned w = 0; w < workers; ++w) {
      REQUIRE(send_when_possible(nodes.front, w, 7 + w, i, i % 900) == send_outcome::sent);
      REQUIRE(send_when_possible(nodes.back, w, 7 + w, i, i % 500) == send_outcome::sent);
    }
  }
  const std::uint64_t all = count * workers;
  for (test_node* const n : {&nodes.front, &nodes.back})
    REQUIRE(n->host.wait_until([&](record& r) { return r.arrivals.size() >= all; }));
  nodes.proxy->cut_each(0, 0);
  nodes.proxy->cut_now(cut::finish);
  for (test_node* const n : {&nodes.front, &nodes.back}) {
    CHECK(n->host.wait_until([&](record& r) { return r.acked == all; }));
    CHECK(n->host.with([&](record& r) { return all_in_order(r, workers, count); }));
    CHECK(n->host.with([](record& r) { return r.downs.empty() && r.ups.size() == 1; }));
    CHECK(resumed(*n) >= 10);
  }
  CHECK(nodes.proxy->connections() >= 10);
}

TEST_CASE("resume: whichever way a connection is cut") {
  const cut how = GENERATE(cut::reset, cut::finish);
  cut_pair nodes;
  constexpr std::uint64_t count = 200;
  for (std::uint64_t i = 0; i < count; ++i) {
    REQUIRE(send_when_possible(nodes.front, 0, 7, i, 3000) == send_outcome::sent);
    if (i == count / 2) nodes.proxy->cut_now(how);
  }
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.arrivals.size() >= count; }));
  CHECK(nodes.back.host.with([&](record& r) { return all_in_order(r, 1, count); }));
}

TEST_CASE("resume: large messages in chunks go on in their midst") {
  cut_pair nodes;
  nodes.proxy->cut_each(100'000, 900'000);
  nodes.proxy->cut_now(cut::reset);
  constexpr std::uint64_t count = 12;
  for (std::uint64_t i = 0; i < count; ++i)
    REQUIRE(send_when_possible(nodes.front, 0, 7, i, 700'000) == send_outcome::sent);
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.arrivals.size() >= count; }));
  CHECK(nodes.back.host.with([&](record& r) { return all_in_order(r, 1, count); }));
  CHECK(nodes.proxy->connections() >= 8);
}

TEST_CASE(
    "resume: whoever finds no way back in the lease ends, once on each side, and a new session begins") {
  cut_pair nodes(1, io_backend::automatic, [](link_options& o) { o.lease = 1s; });
  REQUIRE(nodes.front.send(0, 7, 0) == send_outcome::sent);
  REQUIRE(nodes.front.host.wait_until([](record& r) { return r.acked == 1; }));
  nodes.proxy->refuse(true);
  nodes.proxy->cut_now(cut::reset);
  REQUIRE(nodes.front.send(0, 7, 1) == send_outcome::sent);
  REQUIRE(nodes.front.send(0, 7, 2) == send_outcome::sent);
  for (test_node* const n : {&nodes.front, &nodes.back}) {
    REQUIRE(n->host.wait_until([](record& r) { return r.downs.size() == 1; }));
    CHECK(n->down().first == link_end::unreachable);
  }
  CHECK(nodes.front.host.with([](record& r) { return r.acked + r.unacked; }) == 3);
  CHECK(nodes.back.host.with([](record& r) { return r.arrivals.size(); }) ==
        nodes.front.host.with([](record& r) { return r.acked; }));
  nodes.proxy->refuse(false);
  for (test_node* const n : {&nodes.front, &nodes.back}) {
    REQUIRE(n->host.wait_until([](record& r) { return r.ups.size() == 2; }));
    CHECK(n->host.with([](record& r) { return r.downs.size() == 1; }));
  }
  REQUIRE(nodes.front.send(0, 7, 3) == send_outcome::sent);
  REQUIRE(nodes.back.host.wait_until([](record& r) { return r.arrivals.back().number == 3; }));
}

TEST_CASE("resume: a node closes while it dials for a session, and while it dials a peer that it has lost") {
  cut_pair nodes(1, io_backend::automatic, [](link_options& o) { o.lease = 1s; });
  nodes.proxy->refuse(true);
  nodes.proxy->cut_now(cut::finish);
  const bool after_the_end = GENERATE(false, true);
  if (after_the_end) REQUIRE(nodes.front.unlinked());
  nodes.front.close();
}

TEST_CASE("resume: without a connection a sender waits, and goes on with the next") {
  cut_pair nodes;
  nodes.proxy->refuse(true);
  nodes.proxy->cut_now(cut::reset);
  REQUIRE(nodes.front.with_link([](session& s) { return &s; }) != nullptr);
  std::uint64_t sent = 0;
  while (nodes.front.send(0, 7 + sent / 30, sent, 3000) == send_outcome::sent) ++sent;
  CHECK(sent * 3000 < 2 * link_options{}.send_buffer);
  waiting_note w(5000, sent);
  nodes.front.on(0, [&] { nodes.front.stream(0).wait(w.waiter); });
  auto outcome = w.waiter.outcome.get_future();
  CHECK(outcome.wait_for(0s) == std::future_status::timeout);
  nodes.proxy->refuse(false);
  CHECK(outcome.get() == send_outcome::sent);
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.arrivals.size() == sent + 1; }));
  CHECK(nodes.back.host.with([&](record& r) { return all_in_order(r, 1, sent + 1); }));
}

TEST_CASE("resume: a node with all the links that it may have carries on with them") {
  cut_pair nodes(1, io_backend::automatic, [](link_options& o) { o.max_links = 1; });
  for (unsigned i = 1; i <= 3; ++i) {
    nodes.proxy->cut_now(cut::reset);
    CHECK(becomes_true([&] { return resumed(nodes.back) == i; }));
    REQUIRE(send_when_possible(nodes.front, 0, 7, i, 10) == send_outcome::sent);
    REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.arrivals.size() == i; }));
  }
}

TEST_CASE("resume: a session that is closed without a connection ends at once") {
  cut_pair nodes;
  nodes.proxy->refuse(true);
  nodes.proxy->cut_now(cut::reset);
  REQUIRE(nodes.front.host.wait_until([](record& r) { return r.link != nullptr && r.link->suspended(); }));
  nodes.front.with_link([](session& s) { s.close(); });
  REQUIRE(nodes.front.unlinked());
  CHECK(nodes.front.down().first == link_end::closed);
}

TEST_CASE("resume: who was dialled finds its own way back") {
  cut_pair nodes(1, io_backend::automatic, {}, true);
  nodes.proxy->refuse(true);
  nodes.proxy->cut_now(cut::reset);
  REQUIRE(send_when_possible(nodes.back, 0, 7, 0, 10) == send_outcome::sent);
  REQUIRE(nodes.front.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
  CHECK(resumed(nodes.front) == 1);
  CHECK(nodes.front.host.with([](record& r) { return r.downs.empty(); }));
}

TEST_CASE("resume: another node where the peer should be means nothing for the session") {
  test_node front({1, io_backend::automatic, true, "front"});
  cutting_proxy way_in(front.listen().port);
  test_node back({1, io_backend::automatic, true, "back"});
  cutting_proxy way_out(back.listen().port);
  test_node announcing({1, io_backend::automatic, true, "announcing"},
                       [&](link_options& o) { o.announce = at_port(way_in.port()); });
  back.start();
  front.start();
  announcing.start();
  REQUIRE(announcing.join(at_port(way_out.port())) == "back");
  REQUIRE(back.linked());
  way_out.refuse(true);
  way_out.cut_now(cut::reset);
  CHECK(becomes_true([&] { return way_in.connections() >= 2; }));
  way_out.refuse(false);
  REQUIRE(send_when_possible(back, 0, 7, 0, 10) == send_outcome::sent);
  REQUIRE(announcing.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
  CHECK(resumed(back) == 1);
  CHECK(back.host.with([](record& r) { return r.downs.empty(); }));
}

TEST_CASE("resume: an attempt that breaks off half-way is followed by another, whoever made it") {
  test_node back({1, io_backend::automatic, true, "back"});
  cutting_proxy proxy(back.listen().port);
  back.start();
  test_node front({1, io_backend::automatic, true, "front"});
  front.start();
  REQUIRE(front.join(at_port(proxy.port())) == "back");
  REQUIRE(back.linked());
  proxy.cut_each(90, 110, 2, 4);  // within the answer to what is asked, or the confirmation
  proxy.cut_now(cut::reset);
  CHECK(becomes_true([&] { return proxy.connections() >= 6; }));
  REQUIRE(send_when_possible(back, 0, 7, 0, 10) == send_outcome::sent);
  REQUIRE(front.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
  CHECK(front.host.with([](record& r) { return r.downs.empty(); }));
}

// With a peer that says what it likes.

namespace {

struct attacked {
  attacked() : node({1, io_backend::automatic, true, "node"}, [](link_options& o) { o.lease = 3s; }) {
    at = node.listen();
    node.start();
    me.session = 99;
  }
  /// Linked, and note 0 for target 7 was sent and has arrived.
  std::unique_ptr<raw_peer> linked() {
    auto peer = std::make_unique<raw_peer>(at);
    REQUIRE(peer->link(me));
    REQUIRE(node.linked());
    peer->say(peer->segment({route(0, 7), message(0, note_body(0, "a"))}));
    REQUIRE(node.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
    return peer;
  }
  resumption asks(std::uint32_t attempt, arrived_frames arrived = {0}) const {
    return {me.node.id, node.identity.id, me.session, attempt, std::move(arrived)};
  }
  /// What the node says to it.
  static std::optional<std::pair<greeting_kind, bytes>> answer(raw_peer& to, const resumption& r) {
    to.say(greet(r));
    return to.hear_greeting();
  }
  bool refuses(const resumption& r, refusal_code why) {
    raw_peer peer(at);
    const auto heard = answer(peer, r);
    if (!heard || heard->first != greeting_kind::refused) return false;
    const auto no = parse_refusal(heard->second);
    return no && no->code == why && peer.is_closed();
  }
  bool is_gone(const resumption& r) { return refuses(r, refusal_code::gone); }
  bool is_late(const resumption& r) { return refuses(r, refusal_code::already_linked); }

  test_node node;
  endpoint at;
  hello me = raw_peer::introduction();
};

}  // namespace

TEST_CASE(
    "resume: a session that is not known, or another's, is gone, and the one that lives is not touched") {
  attacked a;
  CHECK(a.is_gone(a.asks(1)));
  const auto peer = a.linked();
  resumption other = a.asks(1);
  other.session = 98;
  CHECK(a.is_gone(other));
  other = a.asks(1);
  other.from.low ^= 1;
  CHECK(a.is_gone(other));
  other = a.asks(1);
  other.to.high ^= 1;
  CHECK(a.is_gone(other));
  CHECK(a.is_late(a.asks(0)));  // not a later attempt than none
  peer->say(peer->segment({message(0, note_body(1, "b"))}));
  REQUIRE(a.node.host.wait_until([](record& r) { return r.arrivals.size() == 2; }));
  CHECK(resumed(a.node) == 0);
}

TEST_CASE("resume: the node says what has arrived, and drops what comes twice") {
  attacked a;
  auto first = a.linked();
  const bool hangs_up = GENERATE(true, false);  // or the node finds out with the second connection only
  if (hangs_up) {
    first->say(bytes(segment_header_bytes - 1));  // a part of a segment, which is forgotten
    first->hang_up();
  }
  raw_peer second(a.at);
  const auto heard = attacked::answer(second, a.asks(1));
  REQUIRE(heard);
  REQUIRE(heard->first == greeting_kind::resumed);
  CHECK(parse_arrived(heard->second) == arrived_frames{2});
  second.say(greet(greeting_kind::confirm));
  if (!hangs_up) CHECK(first->is_closed());
  second.say(second.segment({route(0, 7), message(0, note_body(0, "a"))}));
  second.say(second.segment({message(0, note_body(1, "b"))}));
  REQUIRE(a.node.host.wait_until([](record& r) { return r.arrivals.size() == 2; }));
  a.node.host.with([](record& r) {
    CHECK(r.arrivals[0].number == 0);
    CHECK(r.arrivals[1].number == 1);
    CHECK(r.downs.empty());
  });
  CHECK(a.node.with_link([](session& s) { return s.duplicates(); }) == 1);
  CHECK(resumed(a.node) == 1);
}

TEST_CASE("resume: an attempt that was given up does not take the place of a later one") {
  attacked a;
  auto first = a.linked();
  raw_peer early(a.at);
  REQUIRE(attacked::answer(early, a.asks(1))->first == greeting_kind::resumed);
  raw_peer late(a.at);
  REQUIRE(attacked::answer(late, a.asks(2))->first == greeting_kind::resumed);
  early.say(greet(greeting_kind::confirm));
  CHECK(early.is_closed());
  late.say(greet(greeting_kind::confirm));
  late.next = 3;
  late.say(late.segment({message(0, note_body(1, "b"))}));
  REQUIRE(a.node.host.wait_until([](record& r) { return r.arrivals.size() == 2; }));
  CHECK(a.is_late(a.asks(2)));
  late.say(late.segment({message(0, note_body(2, "c"))}));
  REQUIRE(a.node.host.wait_until([](record& r) { return r.arrivals.size() == 3; }));
}

TEST_CASE("resume: who claims to have what was never sent, or has lost what it acknowledged, is cut off") {
  attacked a;
  const auto arrived = GENERATE(arrived_frames{1000}, arrived_frames{}, arrived_frames{0, 0});
  auto first = a.linked();
  first->hang_up();
  raw_peer second(a.at);
  REQUIRE(attacked::answer(second, a.asks(1, arrived))->first == greeting_kind::resumed);
  second.say(greet(greeting_kind::confirm));
  REQUIRE(a.node.unlinked());
  CHECK(a.node.down().first == link_end::violated);
  CHECK(second.is_closed());
}

TEST_CASE("resume: connections with which nothing goes on end the session") {
  attacked a;
  auto peer = a.linked();
  for (std::uint32_t attempt = 1; attempt <= 20; ++attempt) {
    bytes bad = peer->segment({message(0, note_body(1, "b"))});
    bad[0] ^= std::byte{1};
    peer->say(bad);
    if (!peer->is_closed()) break;
    peer = std::make_unique<raw_peer>(a.at);
    const auto heard = attacked::answer(*peer, a.asks(attempt));
    if (!heard || heard->first != greeting_kind::resumed) break;
    peer->say(greet(greeting_kind::confirm));
    peer->next = 3;
  }
  REQUIRE(a.node.unlinked());
  CHECK(a.node.down().first == link_end::unreachable);
  CHECK(a.node.down().second.find("before anything goes on") != std::string::npos);
  CHECK(a.is_gone(a.asks(1000)));
}

TEST_CASE("resume: a session that the peer has given up makes place for the next") {
  attacked a;
  auto first = a.linked();
  first->reset();
  hello anew = a.me;
  anew.session = 100;
  CHECK(becomes_true([&] {  // long before the lease of 3 s is over
    raw_peer again(a.at);
    return again.link(anew) && a.node.host.wait_until([](record& r) { return r.ups.size() == 2; });
  }));
  CHECK(a.node.host.with([](record& r) { return r.downs.front().second; }) == "the peer has begun anew");
}

TEST_CASE("resume: a request that does not parse is refused and nothing else happens") {
  attacked a;
  const auto peer = a.linked();
  bytes raw = greet(a.asks(1));
  const std::size_t whole = raw.size();
  for (std::size_t cut_off = 1; cut_off <= whole - greeting_header_bytes; cut_off += 7) {
    raw_peer bad(a.at);
    bytes shorter(raw.begin(), raw.end() - static_cast<std::ptrdiff_t>(cut_off));
    store(shorter.data() + 6, static_cast<std::uint16_t>(shorter.size()));
    bad.say(shorter);
    CHECK(bad.is_closed());
  }
  peer->say(peer->segment({message(0, note_body(1, "b"))}));
  REQUIRE(a.node.host.wait_until([](record& r) { return r.arrivals.size() == 2; }));
}
