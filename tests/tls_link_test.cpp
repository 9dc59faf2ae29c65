// Links over TLS: who is let in, what is seen on the way, and sessions over connections that are cut.
#include "cut_pair.hpp"
#include "tls_kit.hpp"

using namespace cuts;

namespace {

/// Makes `whose` node one that has the key of `has`, and lets in who is listed.
std::function<void(link_options&)> with_key(const tls_test::party& has, const std::string& list) {
  return [&has, list](link_options& o) {
    const public_key key = has.key.public_half();
    o.self.id.low = link_security::bound_half(key, o.self.id.high);
    o.security = std::make_shared<const link_security>(link_security{
        credentials::make(has.key, o.self.name).value(), key, allow_list::parse(list, "the list").value()});
  };
}

std::string line(const std::string& name, const tls_test::party& who) {
  return allow_list_line(name, who.key.public_half()) + "\n";
}

std::string both_listed() { return line("front", tls_test::ann()) + line("back", tls_test::bob()); }

/// Of a pair: ann is the front, bob the back.
void give_keys(link_options& o) {
  with_key(o.self.name == "front" ? tls_test::ann() : tls_test::bob(), both_listed())(o);
}

/// What becomes of it when `front` joins `back`.
std::string join_with(const std::function<void(link_options&)>& front_options,
                      const std::function<void(link_options&)>& back_options) {
  test_node back({1, io_backend::automatic, true, "back"}, back_options);
  const endpoint at = back.listen();
  back.start();
  test_node front({1, io_backend::automatic, true, "front"}, front_options);
  front.start();
  std::string how = front.join(at, 150ms);
  if (how != "back") CHECK(back.host.with([](record& r) { return r.ups.empty(); }));
  return how;
}

constexpr auto nothing = [](link_options&) {};

}  // namespace

TEST_CASE("tls: nodes with keys link, and messages arrive in order, both ways") {
  const io_backend io = GENERATE(io_backend::automatic, io_backend::asio);
  cut_pair nodes(2, io, give_keys);
  CHECK(nodes.front.lane() == lane_kind::tcp);
  CHECK(nodes.front.lane_reason().find("TLS 1.3") != std::string::npos);
  CHECK(nodes.back.lane_reason().find("TLS 1.3") != std::string::npos);
  constexpr std::uint64_t count = 400;
  for (std::uint64_t i = 0; i < count; ++i) {
    for (unsigned w : {0u, 1u}) {
      REQUIRE(send_when_possible(nodes.front, w, 7 + w, i, i * 7 % 30'000) == send_outcome::sent);
      REQUIRE(send_when_possible(nodes.back, w, 7 + w, i, i % 50) == send_outcome::sent);
    }
  }
  for (test_node* const n : {&nodes.front, &nodes.back}) {
    REQUIRE(n->host.wait_until([&](record& r) { return r.arrivals.size() == 2 * count; }));
    CHECK(n->host.with([&](record& r) { return all_in_order(r, 2, count); }));
    CHECK(n->host.wait_until([&](record& r) { return r.acked == 2 * count; }));
  }
}

TEST_CASE("tls: of a message nothing is seen on the way, and without keys all of it") {
  const bool has_keys = GENERATE(true, false);
  cut_pair nodes(1, io_backend::automatic, has_keys ? give_keys : [](link_options&) {});
  nodes.proxy->record();
  REQUIRE(nodes.front.send(0, 7, 1, 3000) == send_outcome::sent);  // of x
  REQUIRE(nodes.back.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
  const std::string seen = nodes.proxy->recorded();
  CHECK(seen.size() > 3000);
  CHECK((seen.find("xxxxxxxx") == std::string::npos) == has_keys);
}

TEST_CASE("tls: over connections that are cut everything arrives once and in order") {
  const io_backend io = GENERATE(io_backend::automatic, io_backend::asio);
  cut_pair nodes(2, io, give_keys);
  nodes.proxy->cut_each(8'000, 80'000);
  nodes.proxy->cut_now(cut::reset);
  constexpr std::uint64_t count = 800;
  for (std::uint64_t i = 0; i < count; ++i) {
    for (unsigned w : {0u, 1u}) {
      REQUIRE(send_when_possible(nodes.front, w, 7 + w, i, i % 900) == send_outcome::sent);
      REQUIRE(send_when_possible(nodes.back, w, 7 + w, i, i % 500) == send_outcome::sent);
    }
  }
  for (test_node* const n : {&nodes.front, &nodes.back})
    REQUIRE(n->host.wait_until([&](record& r) { return r.arrivals.size() >= 2 * count; }));
  nodes.proxy->cut_each(0, 0);
  nodes.proxy->cut_now(cut::finish);
  for (test_node* const n : {&nodes.front, &nodes.back}) {
    CHECK(n->host.wait_until([&](record& r) { return r.acked == 2 * count; }));
    CHECK(n->host.with([&](record& r) { return all_in_order(r, 2, count); }));
    CHECK(n->host.with([](record& r) { return r.downs.empty() && r.ups.size() == 1; }));
    CHECK(resumed(*n) >= 8);
  }
}

TEST_CASE("tls: large messages") {
  cut_pair nodes(1, io_backend::automatic, give_keys);
  constexpr std::uint64_t count = 12;
  for (std::uint64_t i = 0; i < count; ++i)
    REQUIRE(send_when_possible(nodes.front, 0, 7, i, 1'000'000) == send_outcome::sent);
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.arrivals.size() == count; }));
  CHECK(nodes.back.host.with([&](record& r) { return all_in_order(r, 1, count); }));
}

TEST_CASE("tls: who is not in the list, or by another name, is not let in, whoever dials") {
  const tls_test::party eve("eve");
  const auto& ann = tls_test::ann();
  const auto& bob = tls_test::bob();
  const std::string listed = both_listed();
  CHECK(join_with(with_key(ann, listed), with_key(bob, listed)) == "back");
  CHECK(join_with(with_key(eve, listed), with_key(bob, listed)) != "back");
  CHECK(join_with(with_key(ann, listed), with_key(eve, listed)) != "back");
  CHECK(join_with(with_key(ann, listed), with_key(bob, line("fronT", ann))) != "back");
  CHECK(join_with(with_key(ann, line("bacK", bob)), with_key(bob, listed)) != "back");
  // Good keys, each for the other name.
  CHECK(join_with(with_key(bob, listed), with_key(bob, listed)) != "back");
  CHECK(join_with(with_key(ann, listed), with_key(ann, listed)) != "back");
  // A good key and a good name, and another node's incarnation.
  const auto borrowed = [&](link_options& o) {
    with_key(ann, listed)(o);
    o.self.id.low ^= 1;
  };
  CHECK(join_with(borrowed, with_key(bob, listed)) != "back");
  // Several keys for one name.
  CHECK(join_with(with_key(eve, listed), with_key(bob, listed + line("front", eve))) == "back");
}

TEST_CASE("tls: a node with a key and one without do not link") {
  CHECK(join_with(give_keys, nothing) != "back");
  const std::string plain = join_with(nothing, give_keys);
  INFO(plain);
  CHECK(plain != "back");
}

TEST_CASE("tls: plain greetings, HTTP and noise get nothing but a closed connection") {
  test_node node({1, io_backend::automatic, true, "back"}, give_keys);
  const endpoint at = node.listen();
  node.start();
  const std::string http = "GET / HTTP/1.1\r\nHost: back\r\n\r\n";
  const bytes noise = tls_test::pattern(20'000);
  const bytes greeting = greet(greeting_kind::hello, raw_peer::introduction());
  for (const byte_view what : {byte_view(greeting), bytes_of(http), byte_view(noise)}) {
    raw_peer peer(at);
    peer.say(what);
    CHECK(peer.is_closed());
  }
  CHECK(node.host.with([](record& r) { return r.ups.empty(); }));
}

TEST_CASE("tls: without a key and without being told so no node listens or dials beyond loopback") {
  test_node node({1, io_backend::automatic, true, "back"});
  try {
    node.listen("tcp://0.0.0.0:0");
    FAIL("it listens");
  } catch (const std::runtime_error& e) {
    CHECK(std::string(e.what()).find("--key") != std::string::npos);
  }
  node.start();
  CHECK(node.join(*endpoint::parse("tcp://192.0.2.1:7000"), 50ms).find("beyond loopback") !=
        std::string::npos);
  test_node open({1, io_backend::automatic, true, "open"}, [](link_options& o) { o.plaintext = true; });
  CHECK(open.listen("tcp://0.0.0.0:0").port != 0);
  open.start();
  test_node secure({1, io_backend::automatic, true, "front"}, give_keys);
  CHECK(secure.listen("tcp://0.0.0.0:0").port != 0);
  secure.start();
}
