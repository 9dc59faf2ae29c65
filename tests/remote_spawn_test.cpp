// spawn_on: starting an offered kind on another node.
#include "remote_support.hpp"

namespace remote_spawn {

struct what {
  using reply = std::string;
};

troupe::actor run_plain(troupe::self<what> me);

inline constexpr troupe::kind<run_plain> plain{"remote_spawn.plain"};

troupe::actor run_plain(troupe::self<what> me) {
  co_await me.serve([&](what) { return "plain on " + me.node().name(); });
}

}  // namespace remote_spawn

using namespace test;
using namespace remote_spawn;
using nothing = troupe::protocol<>;

namespace {

std::string outcome(const auto& r) {
  if (r) return "ok";
  return std::string(troupe::to_string(r.error().code));
}

}  // namespace

TEST_CASE("remote spawn_on: it works on the own name, and says limit reached when the node is full") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    auto small = how.options("back");
    small.most_actors = 12;
    two_nodes nodes(how, how.options("front"), small);
    REQUIRE(nodes.back.offer(plain).has_value());
    REQUIRE(nodes.front.offer(plain).has_value());
    std::vector<ref<what>> born;
    play(nodes.front, [&](self<nothing>& me) -> troupe::task<void> {
      const auto here = co_await me.node().spawn_on("front", plain);
      REQUIRE(outcome(here) == "ok");
      const auto answer = co_await here->ask<what>();
      CHECK((answer && *answer == "plain on front"));
      me.node().stop(*here);
      for (int i = 0; i < 10; ++i) {
        const auto there = co_await me.node().spawn_on("back", plain);
        REQUIRE(outcome(there) == "ok");
        born.push_back(*there);
      }
      const auto one_more = co_await me.node().spawn_on("back", plain);
      CHECK(outcome(one_more) == "limit reached");
      const auto answers = co_await born.back().ask<what>();
      CHECK((answers && *answers == "plain on back"));
    });
    nodes.check_lane();
    settled(nodes.front);
    check_stops(nodes.front);
    check_stops(nodes.back);
  }
}

TEST_CASE("remote spawn_on: without a link the node is not found, at once") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    two_nodes nodes(how);
    REQUIRE(nodes.back.offer(plain).has_value());
    play(nodes.front, [&](self<nothing>& me) -> troupe::task<void> {
      const auto there = co_await me.node().spawn_on("back", plain);
      CHECK(outcome(there) == "ok");
    });
    nodes.check_lane();
    check_stops(nodes.back);
    CHECK(eventually([&] { return link_to(nodes.front, "back").lane == "none"; }));
    play(nodes.front, [&](self<nothing>& me) -> troupe::task<void> {
      const auto there = co_await me.node().spawn_on("back", plain);
      CHECK(outcome(there) == "not found");
    });
    check_stops(nodes.front);
  }
}
