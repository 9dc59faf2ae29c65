// Monitors across nodes beyond what holds on every lane: many, both ways, and nodes and processes that go away.
#include "remote_support.hpp"

#include <algorithm>
#include <stdexcept>

namespace remote_monitor {

struct word {
  std::string text;
};
struct ready {
  using reply = void;
};
using mortal = troupe::protocol<ready>;
using watching = troupe::protocol<troupe::down, word>;

}  // namespace remote_monitor

using namespace test;
using namespace remote_monitor;
using nothing = troupe::protocol<>;

namespace {

actor run_mortal(self<mortal> me) {
  co_await me.serve([](ready) {});
}

std::string describe(const troupe::down& d) {
  const std::string kind(to_string(d.reason.kind));
  return d.reason.text.empty() ? kind : kind + ": " + d.reason.text;
}

/// What the next message says: a word, or how an actor ended.
troupe::task<std::string> next_line(self<watching>& me) {
  std::string line;
  co_await me.receive([&](const troupe::down& d) { line = "DOWN " + describe(d); },
                      [&](const word& w) { line = w.text; });
  co_return line;
}

/// Every monitor that `me` asked for before is in place when this has ended: the question travels behind them.
troupe::task<void> monitors_hold(ref<mortal> whom) {
  const auto answered = co_await whom.ask<ready>().within(patience);
  expect(text_of(answered), "ok");
}

actor run_watcher(self<watching> me, ref<mortal> whom, unsigned times, book log) {
  for (unsigned i = 0; i < times; ++i) me.monitor(whom);
  const auto answered = co_await whom.ask<ready>().within(patience);
  log->add("watching " + text_of(answered));
  co_await me.serve(
      [&](const troupe::down& d) { log->add((d.actor == whom ? "" : "wrong ref: ") + describe(d)); },
      [&](const word& w) { log->add(w.text); });
}

/// What is to be published by a child process: an actor called "mortal".
void be_mortal_node(const setting& how, const std::function<void(std::string)>& say) {
  troupe::node back = start_listening(how.options("back"));
  play(back, [&](self<nothing>& me) -> troupe::task<void> {
    const auto target = back.spawn(run_mortal);
    (void)co_await me.node().publish("mortal", target);
  });
  say(back.endpoints()[0]);
  stay();
}

ref<mortal> find_mortal(troupe::node& from) {
  ref<mortal> found;
  play(from, [&](self<nothing>& me) -> troupe::task<void> {
    const auto looked_up = co_await me.node().lookup<mortal>("mortal").within(patience);
    REQUIRE(looked_up.has_value());
    found = *looked_up;
  });
  return found;
}

}  // namespace

TEST_CASE("remote monitor: a peer may watch again and again, for monitors that are gone do not count") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto local = nodes.back.spawn(run_mortal);
    const auto far = seen_from(nodes.front, nodes.back, local);
    const auto log = new_book();
    constexpr unsigned at_once = 1000;
    constexpr unsigned most_watched = 65536;  // of one peer
    for (unsigned begun = 0; begun <= most_watched; begun += at_once) {
      const auto watcher = nodes.front.spawn(run_watcher, far, at_once, log);
      REQUIRE(log->wait_for(begun / at_once + 1).back() == "watching ok");
      nodes.front.kill(watcher);
    }
    CHECK(eventually([&] { return nodes.front.live_actors() == 2; }));
    play<watching>(nodes.front, [&](self<watching>& me) -> troupe::task<void> {
      me.monitor(far);
      co_await monitors_hold(far);
      nodes.back.kill(local);
      const std::string line = co_await next_line(me);
      CHECK(line == "DOWN killed");
    });
    nodes.finish();
  }
}

TEST_CASE("remote monitor: two nodes watch each other's actors, many at a time") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto log = new_book();
    constexpr unsigned pairs = 40;
    constexpr unsigned monitors = 25;
    std::vector<ref<>> doomed[2];
    std::vector<ref<>> watchers[2];
    troupe::node* const sides[2] = {&nodes.front, &nodes.back};
    for (unsigned side = 0; side < 2; ++side) {
      const auto target = sides[side]->spawn(run_mortal);
      const auto far = seen_from(*sides[1 - side], *sides[side], target);
      doomed[side].push_back(target);
      for (unsigned i = 0; i < pairs; ++i) {
        watchers[1 - side].push_back(sides[1 - side]->spawn(on_worker(i), run_watcher, far, monitors, log));
      }
    }
    REQUIRE(log->wait_for(2 * pairs) == lines(2 * pairs, "watching ok"));
    for (unsigned side = 0; side < 2; ++side) sides[side]->stop(doomed[side][0]);
    const lines all = log->wait_for(2 * pairs + 2 * pairs * monitors);
    CHECK(all.size() == 2 * pairs + 2 * pairs * monitors);
    CHECK(std::count(all.begin(), all.end(), "stopped") == 2 * pairs * monitors);
    for (unsigned side = 0; side < 2; ++side) {
      for (const ref<>& w : watchers[side]) sides[side]->stop(w);
    }
    nodes.finish();
  }
}

TEST_CASE("remote monitor: DOWN when the peer leaves in order, and at once when there is no link") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto far = seen_from(nodes.front, nodes.back, nodes.back.spawn(run_mortal));
    const auto log = new_book();
    auto watching_it = start_playing<watching>(nodes.front, [&](self<watching>& me) -> troupe::task<void> {
      me.monitor(far);
      co_await monitors_hold(far);
      log->add("watching");
      const std::string line = co_await next_line(me);
      expect(line, "DOWN stopped");
    });
    REQUIRE(log->wait_for(1) == lines{"watching"});
    nodes.check_lane();
    check_stops(nodes.back);
    watching_it.finish();
    CHECK(eventually([&] { return link_to(nodes.front, "back").lane == "none"; }));
    play<watching>(nodes.front, [&](self<watching>& me) -> troupe::task<void> {
      me.monitor(far);
      const std::string line = co_await next_line(me);
      CHECK(line == "DOWN unreachable: no link to its node");
    });
    settled(nodes.front);
    check_stops(nodes.front);
  }
}

TEST_CASE("remote monitor: DOWN when the peer's process is killed, and it is certain over shared memory") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    child_process peer([&](const auto& say) { be_mortal_node(how, say); });
    troupe::node front = start(how.options("front"));
    join(front, peer.line());
    CHECK(link_to(front, "back").lane == how.lane());
    const auto far = find_mortal(front);
    const auto log = new_book();
    std::vector<ref<>> watchers;
    for (unsigned i = 0; i < 8; ++i) watchers.push_back(front.spawn(on_worker(i), run_watcher, far, 2u, log));
    REQUIRE(log->wait_for(8) == lines(8, "watching ok"));
    CHECK(link_to(front, "back").frames_in >= 8);
    peer.kill();
    const lines all = log->wait_for(24);
    REQUIRE(all.size() == 24);
    for (std::size_t i = 8; i < 24; ++i) {
      INFO(all[i]);
      const std::string kind = all[i].substr(0, all[i].find(':'));
      CHECK((kind == "died" || (how.tcp && kind == "unreachable")));
    }
    for (const ref<>& w : watchers) front.stop(w);
    CHECK(eventually([&] { return front.live_actors() == 1; }));
    settled(front);
    check_stops(front);
    CHECK(log->all().size() == 24);
  }
}

TEST_CASE(
    "row 21: an actor of a stopped process is DOWN with its link's lease, and the process can be linked "
    "again") {
  for (const setting& how : every_setting()) {
    if (how.workers != 1) continue;
    INFO(how.text());
    const auto with_lease = [&](std::string name) {
      troupe::node_options options = how.options(std::move(name));
      options.lease = 1s;
      return options;
    };
    child_process stopped([&](auto say) {
      troupe::node back = start_listening(with_lease("back"));
      play(back, [&](self<nothing>& me) -> troupe::task<void> {
        const auto target = back.spawn(run_mortal);
        (void)co_await me.node().publish("mortal", target);
      });
      say(back.endpoints()[0]);
      say(eventually([&] { return link_to(back, "front").lane == how.lane(); }) ? "linked" : "?");
      const bool lost = eventually([&] { return link_to(back, "front").lane == "none"; });
      say(lost ? "lost it" : "?");
      stay();
    });
    const std::string url = stopped.line();
    troupe::node front = start(with_lease("front"));
    join(front, url);
    REQUIRE(stopped.line() == "linked");
    const auto log = new_book();
    front.spawn(run_watcher, find_mortal(front), 1u, log);
    CHECK(log->wait_for(1) == lines{"watching ok"});
    stopped.signal(SIGSTOP);
    CHECK(
        eventually([&] { return link_to(front, "back").stalled || link_to(front, "back").lane == "none"; }));
    CHECK(log->wait_for(2).back() == "unreachable: the peer has said nothing for its lease");
    CHECK(link_to(front, "back").lane == "none");
    stopped.signal(SIGCONT);
    CHECK(stopped.line() == "lost it");
    join(front, url);
    (void)find_mortal(front);
    CHECK(log->all().size() == 2);
    stopped.kill();
    settled(front);
    CHECK(front.stop());
  }
}
