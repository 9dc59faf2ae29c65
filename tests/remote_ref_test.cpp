// Refs inside messages: whoever forwards them, they mean the same actor.
#include "remote_support.hpp"

#include <unordered_set>

namespace remote_ref {

struct word {
  std::string text;
};
struct echo {
  using reply = std::vector<troupe::ref<word>>;
  std::vector<troupe::ref<word>> refs;
};
struct tell {
  using reply = std::string;  // what became of the word
  troupe::ref<word> whom;
  std::string text;
};
struct make {
  using reply = troupe::ref<word>;
};
using helper = troupe::protocol<echo, tell, make>;

}  // namespace remote_ref

using namespace test;
using namespace remote_ref;
using nothing = troupe::protocol<>;

namespace {

actor run_reader(self<word> me, book log) {
  co_await me.serve([&](const word& w) { log->add(w.text); });
}

actor run_helper(self<helper> me, book log) {
  co_await me.serve([](const echo& e) { return e.refs; },
                    [](const tell& t) -> troupe::task<std::string> {
                      const auto sent = co_await t.whom.send<word>(t.text);
                      co_return text_of(sent);
                    },
                    [&](make) -> ref<word> { return me.spawn(run_reader, log); });
}

}  // namespace

TEST_CASE("remote ref: mine, yours and nobody keep equality and hash over a round trip") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto log = new_book();
    const auto local = nodes.back.spawn(run_helper, log);
    const auto far = seen_from(nodes.front, nodes.back, local);
    const auto mine = nodes.front.spawn(run_reader, log);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto made = co_await far.ask<make>().within(patience);
      REQUIRE(made.has_value());
      const std::vector<ref<word>> refs = {mine, *made, ref<word>(), mine};
      const auto back = co_await far.ask<echo>(refs).within(patience);
      REQUIRE(back.has_value());
      CHECK(*back == refs);
      const std::hash<ref<word>> hash;
      for (std::size_t i = 0; i < refs.size(); ++i) CHECK(hash((*back)[i]) == hash(refs[i]));
      const std::unordered_set<ref<word>> distinct(back->begin(), back->end());
      CHECK(distinct.size() == 3);
      CHECK(!(*back)[2]);
      CHECK(ref<>((*back)[0]) == ref<>(mine));
    });
    nodes.front.stop(mine);
    nodes.back.stop(local);
    nodes.finish();
  }
}

TEST_CASE("remote ref: a forwarded ref works from wherever it arrives") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto log = new_book();
    const auto local = nodes.back.spawn(run_helper, log);
    const auto far = seen_from(nodes.front, nodes.back, local);
    const auto mine = nodes.front.spawn(run_reader, log);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto to_me = co_await far.ask<tell>(mine, "from back to front").within(patience);
      CHECK((to_me && *to_me == "ok"));
      const auto made = co_await far.ask<make>().within(patience);
      REQUIRE(made.has_value());
      const auto to_it = co_await far.ask<tell>(*made, "from back to back").within(patience);
      CHECK((to_it && *to_it == "ok"));
      const auto direct = co_await made->send<word>("from front to back");
      CHECK(text_of(direct) == "ok");
      const auto to_nobody = co_await far.ask<tell>(ref<word>(), "x").within(patience);
      CHECK((to_nobody && *to_nobody == "no such actor"));
    });
    lines all = log->wait_for(3);
    std::sort(all.begin(), all.end());
    CHECK(all == lines{"from back to back", "from back to front", "from front to back"});
    nodes.front.stop(mine);
    nodes.back.stop(local);
    nodes.finish();
  }
}

TEST_CASE("remote ref: a ref to a dead actor, and one whose slot another actor has taken, reach nobody") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto log = new_book();
    const auto local = nodes.back.spawn(run_helper, log);
    const auto far = seen_from(nodes.front, nodes.back, local);
    const auto dead = nodes.front.spawn(on_worker(0), run_reader, log);
    nodes.front.kill(dead);
    CHECK(eventually([&] { return nodes.front.live_actors() == 2; }));
    std::vector<ref<>> later;
    for (int i = 0; i < 300; ++i) later.push_back(nodes.front.spawn(on_worker(0), run_reader, log));
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto told = co_await far.ask<tell>(dead, "to the dead").within(patience);
      CHECK((told && *told == "ok"));  // the link took it; the dead letter is counted here
      const std::vector<ref<word>> refs = {dead};
      const auto back = co_await far.ask<echo>(refs).within(patience);
      CHECK((back && back->at(0) == dead));
    });
    CHECK(eventually([&] {
      return nodes.front.accounting().undelivered[static_cast<std::size_t>(errc::no_such_actor)] == 1;
    }));
    for (const ref<>& r : later) nodes.front.stop(r);
    nodes.back.stop(local);
    nodes.finish();
    CHECK(log->all().empty());
  }
}

TEST_CASE(
    "remote ref: a ref to a third node's actor keeps its identity and is unreachable until the nodes are "
    "linked") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto log = new_book();
    const auto local = nodes.back.spawn(run_helper, log);
    const auto far = seen_from(nodes.front, nodes.back, local);

    troupe::node third = start_listening(how.options("third"));
    join(nodes.front, third.endpoints()[0]);
    const auto reader = third.spawn(run_reader, log);
    const auto seen = seen_from(nodes.front, third, reader);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const std::vector<ref<word>> refs = {seen};
      const auto back = co_await far.ask<echo>(refs).within(patience);
      CHECK((back && back->at(0) == seen));
      const auto told = co_await far.ask<tell>(seen, "too early").within(patience);
      CHECK((told && *told == "unreachable"));
    });
    join(nodes.back, third.endpoints()[0]);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto told = co_await far.ask<tell>(seen, "now").within(patience);
      CHECK((told && *told == "ok"));
    });
    CHECK(log->wait_for(1) == lines{"now"});
    third.stop(reader);
    CHECK(eventually([&] { return third.live_actors() == 3; }));
    settled(third);
    check_stops(third);
    nodes.back.stop(local);
    nodes.finish_linked_with_others();
  }
}
