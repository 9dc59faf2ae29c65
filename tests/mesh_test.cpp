// Nodes that have joined one of several come to know the others: links, names, events, and how that is limited.
#include <algorithm>
#include <set>

#include <troupe/node_events.hpp>
#include <troupe/sim.hpp>

#include "remote_support.hpp"

using namespace test;

namespace {

troupe::node_options options(std::string name) {
  return {.name = std::move(name), .listen = {"tcp://127.0.0.1:0"}, .workers = 1};
}

std::set<std::string> linked_with(troupe::node& n) {
  std::set<std::string> names;
  for (const troupe::link_info& l : n.links()) {
    if (l.lane != "none") names.insert(l.node);
  }
  return names;
}

/// Nodes that listen, named "n0", "n1", …
class some_nodes {
 public:
  explicit some_nodes(unsigned count, std::uint32_t mesh = 64) {
    for (unsigned i = 0; i < count; ++i) {
      troupe::node_options o = options("n" + std::to_string(i));
      o.mesh = mesh;
      nodes_.push_back(start(std::move(o)));
    }
  }
  troupe::node& operator[](unsigned i) { return nodes_[i]; }
  void join(unsigned from, unsigned to) { test::join(nodes_[from], nodes_[to].endpoints()[0]); }
  bool all_linked() {
    return eventually([&] {
      return std::ranges::all_of(nodes_, [&](auto& n) { return linked_with(n).size() + 1 == nodes_.size(); });
    });
  }

 private:
  std::vector<troupe::node> nodes_;
};

actor note_nodes(self<troupe::node_events> self, book written) {
  self.node().watch_nodes(self.me());
  co_await self.serve([&](const troupe::node_up& n) { written->add("up " + n.node); },
                      [&](const troupe::node_down& n) {
                        written->add("down " + n.node + ": " + std::string(to_string(n.reason.kind)));
                      });
}

}  // namespace

TEST_CASE("mesh: nodes that have joined one of several are linked with all") {
  some_nodes nodes(6);
  for (unsigned i = 1; i < 6; ++i) nodes.join(i, 0);
  CHECK(nodes.all_linked());
}

TEST_CASE("mesh: a chain of joins is a mesh, too") {
  some_nodes nodes(6);
  for (unsigned i = 1; i < 6; ++i) nodes.join(i, i - 1);
  CHECK(nodes.all_linked());
}

TEST_CASE("mesh: two meshes that meet by one link become one") {
  some_nodes nodes(6);
  nodes.join(1, 0);
  nodes.join(2, 0);
  nodes.join(4, 3);
  nodes.join(5, 3);
  REQUIRE(eventually([&] { return linked_with(nodes[2]).size() == 2 && linked_with(nodes[5]).size() == 2; }));
  nodes.join(2, 5);
  CHECK(nodes.all_linked());
}

TEST_CASE("mesh: who comes after a node has gone is linked with all that are left") {
  some_nodes nodes(5);
  for (unsigned i = 1; i < 4; ++i) nodes.join(i, 0);
  REQUIRE(eventually([&] {
    return std::ranges::all_of(std::array{1u, 2u, 3u},
                               [&](unsigned i) { return linked_with(nodes[i]).size() == 3; });
  }));
  nodes[0].stop();
  nodes.join(4, 2);
  CHECK(eventually([&] { return linked_with(nodes[4]) == std::set<std::string>{"n1", "n2", "n3"}; }));
}

TEST_CASE("mesh: names follow") {
  some_nodes nodes(3);
  nodes.join(1, 0);
  nodes.join(2, 0);
  const auto idle = nodes[1].spawn([](self<troupe::protocol<>> me) -> actor { co_await me.serve(); });
  CHECK(seen_from(nodes[2], nodes[1], idle));
}

TEST_CASE("mesh: a node that does not listen meets the others") {
  some_nodes nodes(3);
  nodes.join(1, 0);
  nodes.join(2, 0);
  troupe::node client = start({.name = "client", .workers = 1});
  join(client, nodes[2].endpoints()[0]);
  CHECK(eventually([&] { return linked_with(client) == std::set<std::string>{"n0", "n1", "n2"}; }));
}

namespace {

actor join_first(self<troupe::protocol<>> me) {
  (void)co_await me.node().join("tcp://n0:1");
  co_await me.serve();
}

/// How many links a node has that may dial two, once it has joined one of five.
std::size_t links_of_the_late_one(std::uint64_t seed) {
  troupe::sim::world world({.seed = seed, .faults = troupe::sim::fault_set::none()});
  const auto start_one = [&](std::string name, std::uint32_t mesh) -> troupe::sim::process& {
    troupe::node_options o{.name = name, .listen = {"tcp://" + name + ":1"}};
    o.mesh = mesh;
    return world.start(o, [](auto& p) { p.node().spawn(join_first); });
  };
  for (const std::string name : {"n0", "n1", "n2", "n3", "n4"}) start_one(name, 0);
  auto& late = start_one("late", 2);
  world.run_for(10s);
  const std::size_t links = linked_with(late.node()).size();
  CHECK(world.check() == "");
  return links;
}

}  // namespace

TEST_CASE("mesh: a node links on its own with so many only") {
  std::size_t most = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    most = std::max(most, links_of_the_late_one(seed));
  }
  CHECK(most == 3);  // the one that it has joined, and two more; who is told of fewer, has fewer
}

TEST_CASE("mesh: nodes that come and go are told to who watches them") {
  const book written = new_book();
  some_nodes nodes(2);
  nodes.join(1, 0);
  const auto watcher = nodes[0].spawn(note_nodes, written);
  REQUIRE(written->wait_for(1) == lines{"up n1"});
  {
    troupe::node third = start(options("third"));
    join(third, nodes[1].endpoints()[0]);
    REQUIRE(written->wait_for(2) == lines{"up n1", "up third"});
  }
  REQUIRE(written->wait_for(3) == lines{"up n1", "up third", "down third: died"});
  nodes[0].stop(watcher);
  CHECK(eventually(
      [&] { return nodes[0].live_actors() == 2; }));  // the root and an announcer: nobody watches any more
}

namespace mesh_test {

struct hold {
  using reply = bool;
};

}  // namespace mesh_test

TEST_CASE("leave: a node that stops is not found any more before its actors end") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    two_nodes nodes(how);
    const book seen = new_book();
    // It ends once the other node does not find it any more.
    const auto last = nodes.back.spawn(
        [](self<mesh_test::hold> me, book into) -> actor {
          (void)co_await me.serve([](mesh_test::hold) { return true; });
          while (into->all().empty()) co_await me.sleep(1ms);
        },
        seen);
    const auto found = seen_from(nodes.front, nodes.back, last);
    const std::string name = "seen-" + std::to_string(names_given.load() - 1);
    std::thread stopper([&] { nodes.back.stop(); });
    play(nodes.front, [&](self<troupe::protocol<>>& me) -> troupe::task<void> {
      bool gone = false;
      while (!gone) {
        const auto again = co_await me.node().lookup<mesh_test::hold>(name);
        gone = !again;
        co_await me.sleep(1ms);
      }
    });
    CHECK(link_to(nodes.front, "back").lane == how.lane());
    seen->add("nobody finds it");
    stopper.join();
    CHECK(found);
    nodes.front.stop();
  }
}

TEST_CASE("an ask to a node that is known to be down fails at once") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto idle = nodes.back.spawn(
        [](self<mesh_test::hold> me) -> actor { co_await me.serve([](mesh_test::hold) { return true; }); });
    const auto far = seen_from(nodes.front, nodes.back, idle);
    nodes.back.stop();
    REQUIRE(eventually([&] { return link_to(nodes.front, "back").lane == "none"; }));
    play(nodes.front, [&](self<troupe::protocol<>>&) -> troupe::task<void> {
      const auto before = std::chrono::steady_clock::now();
      for (int i = 0; i < 100; ++i) {
        const auto answer = co_await far.ask<mesh_test::hold>();
        CHECK((!answer && answer.error() == errc::unreachable));
      }
      CHECK(std::chrono::steady_clock::now() - before < 100ms);  // in microseconds, each
    });
    nodes.front.stop();
  }
}
