// spawn_on: starting an offered kind on another node.
#include "remote_support.hpp"

namespace remote_spawn {

struct what {
  using reply = std::string;
};
struct greeting {
  std::string text;
};

troupe::actor run_clerk(troupe::self<what> me, std::string name, std::int64_t number,
                        troupe::ref<greeting> boss);
troupe::actor run_other_clerk(troupe::self<what> me, std::string name);
troupe::actor run_plain(troupe::self<what> me);

inline constexpr troupe::kind<run_clerk> clerk{"remote_spawn.clerk"};
inline constexpr troupe::kind<run_other_clerk> other_clerk{
    "remote_spawn.clerk"};  // another program's idea of it
inline constexpr troupe::kind<run_plain> plain{"remote_spawn.plain"};

troupe::actor run_clerk(troupe::self<what> me, std::string name, std::int64_t number,
                        troupe::ref<greeting> boss) {
  std::string hello = name + " has started";
  (void)co_await boss.send<greeting>(troupe::give(hello));
  co_await me.serve([&](what) { return name + " " + std::to_string(number); });
}
troupe::actor run_other_clerk(troupe::self<what> me, std::string name) {
  co_await me.serve([&](what) { return name; });
}
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

TEST_CASE("remote spawn_on: the actor starts there, with strings, numbers and refs as arguments") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    REQUIRE(nodes.back.offer(clerk).has_value());
    const std::string long_name(5000, 'n');
    ref<what> born;
    play<greeting>(nodes.front, [&](self<greeting>& me) -> troupe::task<void> {
      const auto spawned = co_await me.node().spawn_on("back", clerk, long_name, 42, me.me());
      REQUIRE(outcome(spawned) == "ok");
      born = *spawned;
      std::string heard;
      co_await me.receive([&](const greeting& g) { heard = g.text; });
      CHECK(heard == long_name + " has started");
      const auto answer = co_await born.ask<what>().within(patience);
      CHECK((answer && *answer == long_name + " 42"));
    });
    CHECK(nodes.back.live_actors() == 3);
    play(nodes.back, [&](self<nothing>& me) -> troupe::task<void> {
      const auto here = co_await me.node().spawn_on("back", clerk, "local", 1, ref<greeting>());
      REQUIRE(outcome(here) == "ok");
      const auto answer = co_await here->ask<what>().within(patience);
      CHECK((answer && *answer == "local 1"));
      me.node().kill(*here);
    });
    nodes.check_lane();
    settled(nodes.front);
    check_stops(nodes.front);
    CHECK(eventually(
        [&] { return nodes.back.live_actors() == 2; }));  // the clerk belongs to its node, not to us
    check_stops(nodes.back);
  }
}

TEST_CASE(
    "remote spawn_on: what is not offered, differs, is unknown or does not fit is refused with its reason") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    REQUIRE(nodes.back.offer(clerk).has_value());
    CHECK(nodes.back.offer(clerk).error() == errc::name_taken);
    CHECK(nodes.back.offer(other_clerk).error() == errc::name_taken);
    play(nodes.front, [&](self<nothing>& me) -> troupe::task<void> {
      const auto not_offered = co_await me.node().spawn_on("back", plain);
      CHECK(outcome(not_offered) == "not offered");
      const auto differs = co_await me.node().spawn_on("back", other_clerk, "x");
      CHECK(outcome(differs) == "wrong protocol");
      const auto unknown = co_await me.node().spawn_on("nowhere", clerk, "x", 1, ref<greeting>());
      CHECK(outcome(unknown) == "not found");
      const auto not_here = co_await me.node().spawn_on("front", clerk, "x", 1, ref<greeting>());
      CHECK(outcome(not_here) == "not offered");
      const std::string huge(70'000, 'h');
      const auto too_large = co_await me.node().spawn_on("back", clerk, huge, 1, ref<greeting>());
      CHECK(outcome(too_large) == "too large");
      const std::string nearly(65'500, 'h');
      const auto with_the_rest = co_await me.node().spawn_on("back", clerk, nearly, 1, ref<greeting>());
      CHECK(outcome(with_the_rest) == "too large");
    });
    CHECK(nodes.back.live_actors() == 2);
    nodes.finish();
  }
}

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
