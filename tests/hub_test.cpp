#include "catch.hpp"

#include "link_fixture.hpp"

using namespace link_test;

namespace {

bool mentions(const std::string& text, const char* what) { return text.find(what) != std::string::npos; }

}  // namespace

TEST_CASE(
    "joining where nobody listens fails at the deadline and names the endpoint, the reason and the fix") {
  test_node node({});
  node.start();
  const std::string answer = node.join(*endpoint::parse("tcp://127.0.0.1:1"), 150ms);
  INFO(answer);
  CHECK(mentions(answer, "cannot join tcp://127.0.0.1:1: "));
  CHECK(mentions(answer, "efused"));
  CHECK(mentions(answer, "start a node that listens"));
}

TEST_CASE("a join waits for a node that starts later") {
  test_node late({1, io_backend::automatic, true, "late"});
  const endpoint at = late.listen();
  test_node early({1, io_backend::automatic, true, "early"});
  early.start();
  std::future<std::string> joined = early.join_later(at);
  late.start();
  CHECK(joined.get() == "late");
}

TEST_CASE("joining twice gives the link that there is") {
  pair_of_nodes nodes(lane_kind::shm);
  REQUIRE(nodes.joined == "back");
  test_node third({1, io_backend::automatic, false, "third"});
  const endpoint at = third.listen();
  third.start();
  CHECK(nodes.front.join(at) == "third");
  CHECK(nodes.front.join(at) == "third");
  CHECK(third.host.with([](record& r) { return r.ups.size(); }) == 1);
}

TEST_CASE("two nodes that dial each other at once end up with one link, the same on both") {
  for (const bool tcp : {true, false}) {
    for (int round = 0; round < 20; ++round) {
      test_node a({2, io_backend::automatic, tcp, "a"});
      test_node b({2, io_backend::automatic, tcp, "b"});
      const endpoint at_a = a.listen();
      const endpoint at_b = b.listen();
      a.start();
      b.start();
      std::future<std::string> to_b = a.join_later(at_b);
      CHECK(b.join(at_a) == "a");
      CHECK(to_b.get() == "b");
      CHECK(a.host.with([](record& r) { return r.ups.size(); }) == 1);
      CHECK(b.host.with([](record& r) { return r.ups.size(); }) == 1);
      CHECK(a.host.with([](record& r) { return r.downs.size(); }) == 0);
      CHECK(a.send(0, 1, 1) == send_outcome::sent);
      CHECK(b.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
    }
  }
}

TEST_CASE("a node that dials itself is told so at once") {
  test_node node({1, io_backend::automatic, false, "narcissus"});
  const endpoint at = node.listen();
  node.start();
  const std::string answer = node.join(at);
  INFO(answer);
  CHECK(mentions(answer, "'narcissus' dialled itself"));
}

TEST_CASE("the layer above may refuse a peer, and the joiner is told why") {
  test_node back({1, io_backend::automatic, false, "back"});
  back.host.admission = error(errc::name_taken);
  const endpoint at = back.listen();
  back.start();
  test_node front({1, io_backend::automatic, false, "front"});
  front.start();
  const std::string answer = front.join(at, 150ms);
  INFO(answer);
  CHECK(mentions(answer, "does not admit 'front'"));
  CHECK(mentions(answer, std::string(to_string(errc::name_taken)).c_str()));
  CHECK(back.host.with([](record& r) { return r.ups.size(); }) == 0);
}

TEST_CASE("a node has at most as many links as it is configured for") {
  test_node back({1, io_backend::automatic, true, "back"}, [](link_options& o) { o.max_links = 2; });
  const endpoint at = back.listen();
  back.start();
  std::vector<std::unique_ptr<test_node>> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(std::make_unique<test_node>(
        test_node_options{1, io_backend::automatic, true, "n" + std::to_string(i)}));
    others.back()->start();
  }
  CHECK(others[0]->join(at) == "back");
  CHECK(others[1]->join(at) == "back");
  CHECK(mentions(others[2]->join(at, 150ms), "cannot join"));
}

TEST_CASE("a node linked with many peers on many workers closes every link and waits for them") {
  test_node back({2, io_backend::automatic, false, "back"});
  const endpoint at = back.listen();
  back.start();
  std::vector<std::unique_ptr<test_node>> others;
  for (int i = 0; i < 6; ++i) {
    others.push_back(std::make_unique<test_node>(
        test_node_options{1, io_backend::automatic, i % 2 == 0, "n" + std::to_string(i)}));
    others.back()->start();
    CHECK(others.back()->join(at) == "back");
    REQUIRE(others.back()->linked());
    CHECK(others.back()->lane() == (i % 2 == 0 ? lane_kind::tcp : lane_kind::shm));
  }
  REQUIRE(back.host.wait_until([](record& r) { return r.ups.size() == 6; }));
  back.close();
  CHECK(back.host.with([](record& r) { return r.downs.size(); }) == 6);
  for (const auto& other : others) {
    REQUIRE(other->unlinked());
    CHECK(other->down().first == link_end::left);
  }
}

TEST_CASE("a peer that left can be joined again when it comes back at the same address") {
  test_node front({1, io_backend::automatic, false, "front"});
  front.start();
  endpoint at = *endpoint::parse("tcp://127.0.0.1:0");
  for (int life = 1; life <= 3; ++life) {
    test_node back({1, io_backend::automatic, false, "back"});
    at = back.listen(at.url().c_str());
    back.start();
    CHECK(front.join(at) == "back");
    REQUIRE(front.host.wait_until([&](record& r) { return static_cast<int>(r.ups.size()) == life; }));
    back.close();
    REQUIRE(front.host.wait_until([&](record& r) { return static_cast<int>(r.downs.size()) == life; }));
  }
}

TEST_CASE("closing a node in the middle of its joins tells every joiner") {
  test_node node({1, io_backend::automatic, true, "node"});
  node.start();
  std::vector<std::future<std::string>> joins;
  for (int i = 0; i < 4; ++i) {
    joins.push_back(node.join_later(*endpoint::parse("tcp://127.0.0.1:1"), 30s));
  }
  node.close();
  for (auto& j : joins) CHECK(mentions(j.get(), "cannot join"));
}

TEST_CASE("a squatted local socket is passed over and the node is found by TCP") {
  test_node back({1, io_backend::automatic, true, "back"});  // does not listen beside its port
  const endpoint at = back.listen();
  endpoint beside;
  beside.family = endpoint::kind::local;
  beside.path = "@troupe-" + std::to_string(os_env().user_id()) + "-" + std::to_string(at.port);
  auto squatter = os_env().listen(beside, 1);  // connects, never answers, and hangs up when it is closed
  REQUIRE(squatter.has_value());
  back.start();
  test_node front({1, io_backend::automatic, false, "front"});
  front.start();
  std::future<std::string> joined = front.join_later(at);
  front.on(0, [] {});
  squatter->reset();
  CHECK(joined.get() == "back");
  REQUIRE(front.linked());
  CHECK(front.lane() == lane_kind::tcp);
}
