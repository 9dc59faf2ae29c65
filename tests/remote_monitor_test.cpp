// Monitors across nodes: DOWN comes once, with its reason, after the last message, also when a process dies.
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
struct end_with {
  std::string failure;  // empty: none
};
struct say_and_end {
  troupe::ref<word> to;
  std::uint32_t times;
};
using mortal = troupe::protocol<ready, end_with, say_and_end>;
using watching = troupe::protocol<troupe::down, word>;

}  // namespace remote_monitor

using namespace test;
using namespace remote_monitor;
using nothing = troupe::protocol<>;

namespace {

actor run_mortal(self<mortal> me) {
  bool over = false;
  while (!over) {
    const auto taken = co_await me.receive([](ready) {},
                                           [&](const end_with& e) {
                                             over = true;
                                             if (!e.failure.empty()) throw std::runtime_error(e.failure);
                                           },
                                           [&](const say_and_end& s) -> troupe::task<void> {
                                             over = true;
                                             for (std::uint32_t i = 0; i < s.times; ++i)
                                               co_await s.to.send<word>(std::to_string(i));
                                           });
    if (!taken) break;
  }
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

TEST_CASE("remote monitor: DOWN tells how the actor ended, once for each monitor") {
  const std::string long_text(1000, 't');
  const std::vector<std::pair<std::string, std::string>> ways = {
      {"return", "DOWN normal"},
      {"throw", "DOWN failed: " + long_text.substr(0, 256)},
      {"stop", "DOWN stopped"},
      {"kill", "DOWN killed"}};
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    for (const auto& [way, expected] : ways) {
      const auto local = nodes.back.spawn(run_mortal);
      const auto far = seen_from(nodes.front, nodes.back, local);
      play<watching>(nodes.front, [&](self<watching>& me) -> troupe::task<void> {
        me.monitor(far);
        me.monitor(far);
        co_await monitors_hold(far);
        if (way == "return") co_await far.send<end_with>("");
        if (way == "throw") co_await far.send<end_with>(long_text);
        if (way == "stop") nodes.back.stop(local);
        if (way == "kill") nodes.back.kill(local);
        for (int i = 0; i < 2; ++i) {
          const std::string line = co_await next_line(me);
          CHECK(line == expected);
        }
      });
    }
    nodes.finish();
  }
}

TEST_CASE("remote monitor: an actor that is dead already gives DOWN at once") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto local = nodes.back.spawn(run_mortal);
    const auto far = seen_from(nodes.front, nodes.back, local);
    nodes.back.kill(local);
    CHECK(eventually([&] { return nodes.back.live_actors() == 2; }));
    const auto reborn = nodes.back.spawn(run_mortal);  // perhaps in the same slot
    play<watching>(nodes.front, [&](self<watching>& me) -> troupe::task<void> {
      for (int i = 0; i < 3; ++i) {
        me.monitor(far);
        const std::string line = co_await next_line(me);
        CHECK(line == "DOWN no such actor");
      }
    });
    nodes.back.stop(reborn);
    nodes.finish();
  }
}

TEST_CASE("remote monitor: DOWN comes after the dead actor's last message") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    constexpr std::uint32_t words = 20'000;
    const auto far = seen_from(nodes.front, nodes.back, nodes.back.spawn(run_mortal));
    for (unsigned on = 0; on < how.workers; ++on) {
      const auto local = nodes.back.spawn(on_worker(on), run_mortal);
      const auto target = seen_from(nodes.front, nodes.back, local);
      play<watching>(nodes.front, [&](self<watching>& me) -> troupe::task<void> {
        me.monitor(target);
        const ref<word> here = me.me();
        co_await target.send<say_and_end>(here, words);
        std::uint32_t in_order = 0;
        std::string line = co_await next_line(me);
        while (line == std::to_string(in_order)) {
          ++in_order;
          line = co_await next_line(me);
        }
        CHECK(in_order == words);
        CHECK(line == "DOWN normal");
      });
    }
    CHECK(far.blocking_send<end_with>(patience, "").has_value());
    nodes.finish();
  }
}

TEST_CASE("remote monitor: a watcher may end first, and the watched one may end after it") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto local = nodes.back.spawn(run_mortal);
    const auto far = seen_from(nodes.front, nodes.back, local);
    const auto log = new_book();
    const auto stays = nodes.front.spawn(on_worker(0), run_watcher, far, 1u, log);
    std::vector<ref<>> leave;
    for (unsigned i = 0; i < 50; ++i)
      leave.push_back(nodes.front.spawn(on_worker(i), run_watcher, far, 3u, log));
    REQUIRE(log->wait_for(51) == lines(51, "watching ok"));
    for (std::size_t i = 0; i < leave.size(); ++i)
      i % 2 == 0 ? nodes.front.stop(leave[i]) : nodes.front.kill(leave[i]);
    CHECK(eventually([&] { return nodes.front.live_actors() == 3; }));
    nodes.back.kill(local);
    CHECK(log->wait_for(52).back() == "killed");
    nodes.front.stop(stays);
    nodes.finish();
    CHECK(log->all().size() == 52);
  }
}

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
