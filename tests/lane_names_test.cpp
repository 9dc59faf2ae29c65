// Finding and making actors of the other side, and refs that travel, on every lane.
#include "lane_suite.hpp"

#include <unordered_set>

namespace lane_names {

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
struct what {
  using reply = std::string;
};
using helper = troupe::protocol<echo, tell, make>;
using office = troupe::protocol<what, word>;  // a word sends it home

troupe::actor run_clerk(troupe::self<office> me, std::string name, std::int64_t number,
                        troupe::ref<word> boss);
troupe::actor run_other_clerk(troupe::self<what> me, std::string name);
troupe::actor run_plain(troupe::self<what> me);

inline constexpr troupe::kind<run_clerk> clerk{"lane_names.clerk"};
inline constexpr troupe::kind<run_other_clerk> other_clerk{
    "lane_names.clerk"};  // another program's idea of it
inline constexpr troupe::kind<run_plain> plain{"lane_names.plain"};

troupe::actor run_clerk(troupe::self<office> me, std::string name, std::int64_t number,
                        troupe::ref<word> boss) {
  std::string hello = name + " has started";
  (void)co_await boss.send<word>(troupe::give(hello));
  co_await me.serve([&](what) { return name + " " + std::to_string(number); },
                    [&](const word&) { me.stop(); });
}
troupe::actor run_other_clerk(troupe::self<what> me, std::string name) {
  co_await me.serve([&](what) { return name; });
}
troupe::actor run_plain(troupe::self<what> me) {
  co_await me.serve([&](what) { return "plain on " + me.node().name(); });
}

}  // namespace lane_names

using namespace test;
using namespace lane_names;
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

std::string outcome(const auto& r) {
  if (r) return "ok";
  return std::string(troupe::to_string(r.error().code));
}

/// Publishes an actor of the back side, as itself.
void publish(lane_case& on, const std::string& name, const auto& who) {
  play(on.back(), [&](self<nothing>& me) -> troupe::task<void> {
    const auto published = co_await me.node().publish(name, who);
    CHECK(text_of(published) == "ok");
  });
}

}  // namespace

LANE_TEST("publish: a name is found until its actor ends, alone and with its node") {
  const auto log = new_book();
  const auto reader = on.back().spawn(on.at_back(), run_reader, log);
  publish(on, "reader", reader);
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    const auto found = co_await me.node().lookup<word>("reader").within(patience);
    CHECK(outcome(found) == "ok");
    const auto exact = co_await me.node().lookup<word>("reader@" + on.back().name()).within(patience);
    CHECK((exact && *exact == *found));
    (void)co_await found->send<word>("hello");
    const auto elsewhere = co_await me.node().lookup<word>("reader@nowhere");
    CHECK(outcome(elsewhere) == "not found");
  });
  CHECK(log->wait_for(1) == lines{"hello"});
  on.back().stop(reader);
  CHECK(on.left_alive(0));
  CHECK(eventually([&] {
    bool gone = false;
    on.play_front([&](self<nothing>& me) -> troupe::task<void> {
      const auto late = co_await me.node().lookup<word>("reader");
      gone = outcome(late) == "not found";
    });
    return gone;
  }));
}

LANE_TEST("lookup: it waits until the name appears, for as long as it was told") {
  const auto log = new_book();
  auto waiting = on.start_front([&](self<nothing>& me) -> troupe::task<void> {
    const auto none = co_await me.node().lookup<word>("never").within(2ms);
    expect(outcome(none), "not found");
    const auto unwaited = co_await me.node().lookup<word>("soon");
    expect(outcome(unwaited), "not found");
    log->add("waits");
    const auto found = co_await me.node().lookup<word>("soon").within(patience);
    expect(outcome(found), "ok");
    const auto sent = co_await found->send<word>("found");
    expect(text_of(sent), "ok");
  });
  REQUIRE(log->wait_for(1) == lines{"waits"});
  auto waiting_exactly = on.start_front([&](self<nothing>& me) -> troupe::task<void> {
    const auto found = co_await me.node().lookup<word>("soon@" + on.back().name()).within(patience);
    expect(outcome(found), "ok");
  });
  const auto reader = on.back().spawn(on.at_back(), run_reader, log);
  publish(on, "soon", reader);
  waiting.finish();
  waiting_exactly.finish();
  CHECK(log->wait_for(2).back() == "found");
  on.back().stop(reader);
  CHECK(on.left_alive(0));
}

LANE_TEST("lookup: who asks for another protocol hears wrong protocol, who asks for less does not") {
  const auto log = new_book();
  const auto h = on.back().spawn(on.at_back(), run_helper, log);
  publish(on, "helper", h);
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    const auto less = co_await me.node().lookup<tell>("helper").within(patience);
    CHECK(outcome(less) == "ok");
    const auto more = co_await me.node().lookup<troupe::protocol<tell, word>>("helper").within(patience);
    CHECK(outcome(more) == "wrong protocol");
    const auto exact = co_await me.node().lookup<word>("helper@" + on.back().name());
    CHECK(outcome(exact) == "wrong protocol");
    const auto with_down = co_await me.node().lookup<troupe::protocol<tell, troupe::down>>("helper");
    CHECK(outcome(with_down) == "ok");
    const auto anything = co_await me.node().lookup<nothing>("helper");
    CHECK(outcome(anything) == "ok");
    const auto told = co_await less->ask<tell>(ref<word>(), "x").within(patience);
    CHECK((told && *told == "no such actor"));
  });
  on.back().stop(h);
  CHECK(on.left_alive(0));
}

LANE_TEST(
    "spawn_on: the actor starts there, with strings, numbers and refs as arguments, and belongs to its "
    "node") {
  REQUIRE(on.back().offer(clerk).has_value());
  const std::string long_name(5000, 'n');
  ref<office> born;
  on.play_front<word>([&](self<word>& me) -> troupe::task<void> {
    const auto spawned = co_await me.node().spawn_on(on.back().name(), clerk, long_name, 42, me.me());
    REQUIRE(outcome(spawned) == "ok");
    born = *spawned;
    std::string heard;
    co_await me.receive([&](const word& w) { heard = w.text; });
    CHECK(heard == long_name + " has started");
    const auto answer = co_await born.ask<what>().within(patience);
    CHECK((answer && *answer == long_name + " 42"));
  });
  on.play_front([&](self<nothing>&) -> troupe::task<void> {  // whoever asked for it has gone
    const auto answer = co_await born.ask<what>().within(patience);
    CHECK(answer.has_value());
  });
  CHECK(on.left_alive(1));
  CHECK(born.blocking_send<word>(patience, "go home").has_value());
  CHECK(on.left_alive(0));
}

LANE_TEST("spawn_on: what is not offered, differs, is unknown or does not fit is refused with its reason") {
  REQUIRE(on.back().offer(clerk).has_value());
  CHECK(on.back().offer(clerk).error() == errc::name_taken);
  CHECK(on.back().offer(other_clerk).error() == errc::name_taken);
  const std::string where = on.back().name();
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    const auto not_offered = co_await me.node().spawn_on(where, plain);
    CHECK(outcome(not_offered) == "not offered");
    const auto differs = co_await me.node().spawn_on(where, other_clerk, "x");
    CHECK(outcome(differs) == "wrong protocol");
    const auto unknown = co_await me.node().spawn_on("nowhere", clerk, "x", 1, ref<word>());
    CHECK(outcome(unknown) == "not found");
    const std::string huge(2 << 20, 'h');
    const auto too_large = co_await me.node().spawn_on(where, clerk, huge, 1, ref<word>());
    CHECK(outcome(too_large) == "too large");
  });
  CHECK(on.left_alive(0));
}

LANE_TEST("ref: mine, yours and nobody keep equality and hash over a round trip") {
  const auto log = new_book();
  const auto h = on.spawn_back(run_helper, log);
  const auto mine = on.spawn_front(run_reader, log);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto made = co_await h.far.ask<make>().within(patience);
    REQUIRE(made.has_value());
    const std::vector<ref<word>> refs = {mine, *made, ref<word>(), mine};
    const auto back = co_await h.far.ask<echo>(refs).within(patience);
    REQUIRE(back.has_value());
    CHECK(*back == refs);
    const std::hash<ref<word>> hash;
    for (std::size_t i = 0; i < refs.size(); ++i) CHECK(hash((*back)[i]) == hash(refs[i]));
    const std::unordered_set<ref<word>> distinct(back->begin(), back->end());
    CHECK(distinct.size() == 3);
    CHECK(!(*back)[2]);
    CHECK(ref<>((*back)[0]) == ref<>(mine));
  });
}

LANE_TEST("ref: a forwarded ref works from wherever it arrives, also at a third actor") {
  const auto log = new_book();
  const auto h = on.spawn_back(run_helper, log);
  const auto mine = on.spawn_front(run_reader, log);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto to_me = co_await h.far.ask<tell>(mine, "from back to front").within(patience);
    CHECK((to_me && *to_me == "ok"));
    const auto made = co_await h.far.ask<make>().within(patience);
    REQUIRE(made.has_value());
    const auto to_it = co_await h.far.ask<tell>(*made, "from back to back").within(patience);
    CHECK((to_it && *to_it == "ok"));
    const auto direct = co_await made->send<word>("from front to back");
    CHECK(text_of(direct) == "ok");
    const auto to_nobody = co_await h.far.ask<tell>(ref<word>(), "x").within(patience);
    CHECK((to_nobody && *to_nobody == "no such actor"));
  });
  lines all = log->wait_for(3);
  std::ranges::sort(all);
  CHECK(all == lines{"from back to back", "from back to front", "from front to back"});
}

LANE_TEST("ref: to a dead actor, and one whose slot another actor has taken, it reaches nobody") {
  const auto log = new_book();
  const auto h = on.spawn_back(run_helper, log);
  const auto dead = on.front().spawn(on.at_front(), run_reader, log);
  on.front().kill(dead);
  CHECK(on.left_alive(1));
  for (int i = 0; i < 300; ++i) on.spawn_front(run_reader, log);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto told = co_await h.far.ask<tell>(dead, "to the dead").within(patience);
    // A link takes it; then the dead letter is counted where the actor was.
    CHECK((told && *told == (on.local() ? "no such actor" : "ok")));
    const std::vector<ref<word>> refs = {dead};
    const auto back = co_await h.far.ask<echo>(refs).within(patience);
    CHECK((back && back->at(0) == dead));
  });
  const std::uint64_t letters = on.local() ? 0 : 1;
  CHECK(eventually([&] { return on.undelivered(errc::no_such_actor) == letters; }));
  CHECK(log->all().empty());
}
