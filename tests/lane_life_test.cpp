// How actors end on every lane, and who hears of it: monitors, links, stop, kill, supervision.
#include "lane_suite.hpp"

#include <stdexcept>

namespace lane_life {

struct word {
  std::string text;
};
struct ready {
  using reply = std::uint32_t;  // how many words it has taken in all its lives
};
struct end_with {
  std::string failure;  // empty: none
};
struct say_and_end {
  troupe::ref<word> to;
  std::uint32_t times;
};
struct tie {
  using reply = void;
  troupe::ref<> to;
};
struct untie {
  using reply = void;
  troupe::ref<> from;
};
using mortal = troupe::protocol<word, ready, end_with, say_and_end, tie, untie>;
using watching = troupe::protocol<troupe::down, word>;

}  // namespace lane_life

using namespace test;
using namespace lane_life;
using nothing = troupe::protocol<>;

namespace {

using counter = std::shared_ptr<std::atomic<std::uint32_t>>;
counter new_counter() { return std::make_shared<std::atomic<std::uint32_t>>(0); }

actor run_mortal(self<mortal> me, counter words) {
  bool over = false;
  while (!over) {
    const auto taken =
        co_await me.receive([&](const word&) { words->fetch_add(1); }, [&](ready) { return words->load(); },
                            [&](const end_with& e) {
                              over = true;
                              if (!e.failure.empty()) throw std::runtime_error(e.failure);
                            },
                            [&](const say_and_end& s) -> troupe::task<void> {
                              over = true;
                              for (std::uint32_t i = 0; i < s.times; ++i)
                                co_await s.to.send<word>(std::to_string(i));
                            },
                            [&](const tie& t) { me.link(t.to); }, [&](const untie& u) { me.unlink(u.from); });
    if (!taken) break;
  }
}
placed<mortal> spawn_mortal(lane_case& on) { return on.spawn_back(run_mortal, new_counter()); }

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

/// Every monitor and link that was asked for before is in place when this has ended: the question travels behind them.
troupe::task<void> ties_hold(ref<mortal> whom) {
  const auto answered = co_await whom.ask<ready>().within(patience);
  if (!answered) throw std::runtime_error(answered.error().text());
}

actor run_watcher(self<watching> me, ref<mortal> whom, unsigned times, book log) {
  for (unsigned i = 0; i < times; ++i) me.monitor(whom);
  const auto answered = co_await whom.ask<ready>().within(patience);
  log->add(answered ? "watching" : answered.error().text());
  co_await me.serve(
      [&](const troupe::down& d) { log->add((d.actor == whom ? "" : "wrong ref: ") + describe(d)); },
      [&](const word& w) { log->add(w.text); });
}

void end(lane_case& on, const placed<mortal>& who, const std::string& way) {
  if (way == "return") CHECK(who.far.blocking_send<end_with>(patience, "").has_value());
  if (way == "throw") CHECK(who.far.blocking_send<end_with>(patience, "boom").has_value());
  if (way == "stop") on.stop(who);
  if (way == "kill") on.kill(who);
}

/// A front actor linked with `who`, by its own doing; it has a watcher that writes its end down.
ref<mortal> linked_with(lane_case& on, const placed<mortal>& who, const book& log) {
  const ref<mortal> here = on.spawn_front(run_mortal, new_counter());
  const std::size_t said = log->all().size();
  on.spawn_front(run_watcher, here, 1u, log);
  REQUIRE(log->wait_for(said + 1).back() == "watching");
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const ref<> to = who.far;
    const auto linked = co_await here.ask<tie>(to).within(patience);
    CHECK(text_of(linked) == "ok");
    co_await ties_hold(who.far);
  });
  return here;
}

}  // namespace

LANE_TEST("monitor: DOWN tells how the actor ended, once for each monitor") {
  const std::vector<std::pair<std::string, std::string>> ways = {{"return", "DOWN normal"},
                                                                 {"throw", "DOWN failed: boom"},
                                                                 {"stop", "DOWN stopped"},
                                                                 {"kill", "DOWN killed"}};
  for (const auto& [way, expected] : ways) {
    const auto target = spawn_mortal(on);
    const auto log = new_book();
    auto watcher = on.start_front<watching>([&](self<watching>& me) -> troupe::task<void> {
      me.monitor(target.far);
      me.monitor(target.far);
      co_await ties_hold(target.far);
      log->add("watching");
      for (int i = 0; i < 2; ++i) {
        const std::string line = co_await next_line(me);
        expect(line, expected);
      }
    });
    REQUIRE(log->wait_for(1) == lines{"watching"});
    end(on, target, way);
    watcher.finish();
  }
}

LANE_TEST("monitor: what an exception says is told whole at home, and up to its 256th byte over a link") {
  const auto target = spawn_mortal(on);
  const std::string long_text(1000, 't');
  on.play_front<watching>([&](self<watching>& me) -> troupe::task<void> {
    me.monitor(target.far);
    co_await target.far.send<end_with>(long_text);
    const std::string line = co_await next_line(me);
    CHECK(line == "DOWN failed: " + long_text.substr(0, on.local() ? 1000 : 256));
  });
}

LANE_TEST("monitor: of an actor that is dead already gives DOWN at once") {
  const auto dead = spawn_mortal(on);
  on.kill(dead);
  CHECK(on.left_alive(0));
  const auto reborn = spawn_mortal(on);  // perhaps in the same slot
  on.play_front<watching>([&](self<watching>& me) -> troupe::task<void> {
    for (int i = 0; i < 3; ++i) {
      me.monitor(dead.far);
      const std::string line = co_await next_line(me);
      CHECK(line == "DOWN no such actor");
    }
    co_await ties_hold(reborn.far);
  });
}

LANE_TEST(
    "supervision: an actor that throws is DOWN with what the exception said, or starts again if it is "
    "supervised") {
  const auto plain = spawn_mortal(on);
  const auto words = new_counter();
  const auto cared_for = on.spawn_back(troupe::restart_on_failure(run_mortal), words);
  on.play_front<watching>([&](self<watching>& me) -> troupe::task<void> {
    me.monitor(plain.far);
    me.monitor(cared_for.far);
    co_await ties_hold(cared_for.far);
    co_await cared_for.far.send<end_with>("first life");
    co_await plain.far.send<end_with>("only life");
    const std::string line = co_await next_line(me);
    CHECK(line == "DOWN failed: only life");
    const auto lives = co_await cared_for.far.ask<ready>().within(patience);  // answered by its second life
    CHECK(lives.has_value());
  });
  on.stop(cared_for);
  CHECK(on.left_alive(0));
}

LANE_TEST("monitor: DOWN comes after the dead actor's last message") {
  constexpr std::uint32_t words = 20'000;
  for (unsigned worker = 0; worker < on.workers(); ++worker) {
    const auto target = on.spawn_back(on_worker(worker), run_mortal, new_counter());
    on.play_front<watching>([&](self<watching>& me) -> troupe::task<void> {
      me.monitor(target.far);
      const ref<word> here = me.me();
      co_await target.far.send<say_and_end>(here, words);
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
}

LANE_TEST("monitor: what is taken back sends no DOWN, and leaves other watchers and a later monitor alone") {
  const auto target = spawn_mortal(on);
  const auto twice = spawn_mortal(on);
  const auto log = new_book();
  on.spawn_front(run_watcher, target.far, 1u, log);
  auto watcher = on.start_front<watching>([&](self<watching>& me) -> troupe::task<void> {
    me.demonitor(target.far);  // nothing to take back
    for (const auto* who : {&target, &twice}) {
      me.monitor(who->far);
      me.monitor(who->far);
      me.demonitor(who->far);
    }
    me.monitor(twice.far);
    co_await ties_hold(target.far);
    co_await ties_hold(twice.far);
    log->add("ready");
    const std::string line = co_await next_line(me);
    expect(line, "DOWN stopped");
    me.monitor(target.far);  // dead by now: the one DOWN of it is this one's
    const std::string last = co_await next_line(me);
    expect(last, "DOWN no such actor");
  });
  REQUIRE(log->wait_for(2).size() == 2);
  on.kill(target);
  CHECK(log->wait_for(3).back() == "killed");
  on.stop(twice);
  watcher.finish();
  CHECK(on.left_alive(1));
}

LANE_TEST("monitor: a watcher may end first, and the watched one may end after it") {
  const auto target = spawn_mortal(on);
  const auto log = new_book();
  on.spawn_front(run_watcher, target.far, 1u, log);
  std::vector<ref<>> leave;
  for (unsigned i = 0; i < 50; ++i)
    leave.push_back(on.front().spawn(on_worker(i), run_watcher, target.far, 3u, log));
  REQUIRE(log->wait_for(51) == lines(51, "watching"));
  for (std::size_t i = 0; i < leave.size(); ++i)
    i % 2 == 0 ? on.front().stop(leave[i]) : on.front().kill(leave[i]);
  CHECK(on.left_alive(2));
  on.kill(target);
  CHECK(log->wait_for(52).back() == "killed");
  CHECK(on.left_alive(1));
  CHECK(log->all().size() == 52);
}

LANE_TEST("monitor: many watch one actor many times, and each hears of each") {
  const auto target = spawn_mortal(on);
  const auto log = new_book();
  constexpr unsigned watchers = 40;
  constexpr unsigned monitors = 25;
  std::vector<ref<>> all;
  for (unsigned i = 0; i < watchers; ++i)
    all.push_back(on.front().spawn(on_worker(i), run_watcher, target.far, monitors, log));
  REQUIRE(log->wait_for(watchers) == lines(watchers, "watching"));
  on.stop(target);
  const lines said = log->wait_for(watchers + watchers * monitors);
  CHECK(std::ranges::count(said, "stopped") == watchers * monitors);
  for (const ref<>& w : all) on.front().stop(w);
  CHECK(on.left_alive(0));
}

LANE_TEST("link: either end that dies takes the other with it, and says why") {
  for (const bool back_dies : {true, false}) {
    for (const std::string way : {"throw", "kill"}) {
      const auto log = new_book();
      const auto there = spawn_mortal(on);
      const auto here = linked_with(on, there, log);
      if (back_dies) {
        end(on, there, way);
        CHECK(log->wait_for(2).back() == (way == "throw" ? "linked: failed: boom" : "linked: killed"));
        continue;
      }
      auto fate = on.start_front<watching>([&](self<watching>& me) -> troupe::task<void> {
        me.monitor(there.far);
        co_await ties_hold(there.far);
        log->add("both watched");
        const std::string line = co_await next_line(me);
        expect(line, way == "throw" ? "DOWN linked: failed: boom" : "DOWN linked: killed");
      });
      REQUIRE(log->wait_for(2).back() == "both watched");
      if (way == "throw") {
        CHECK(here.blocking_send<end_with>(patience, "boom").has_value());
      } else {
        on.front().kill(here);
      }
      fate.finish();
    }
  }
}

LANE_TEST("link: one that returns or is stopped leaves the other alone, and so does a link given up") {
  for (const std::string way : {"return", "stop", "unlink here", "unlink there"}) {
    const auto log = new_book();
    const auto there = spawn_mortal(on);
    const auto here = linked_with(on, there, log);
    const ref<mortal> gives_up = way == "unlink here" ? here : there.far;
    if (way.starts_with("unlink")) {
      on.play_front([&](self<nothing>&) -> troupe::task<void> {
        const ref<> from = way == "unlink here" ? ref<>(there.far) : ref<>(here);
        const auto done = co_await gives_up.ask<untie>(from).within(patience);
        CHECK(text_of(done) == "ok");
        co_await ties_hold(there.far);
        co_await ties_hold(here);
      });
      on.kill(there);
    } else {
      end(on, there, way);
    }
    CHECK(eventually([&] { return !there.far.blocking_ask<ready>(patience).has_value(); }));
    CHECK(here.blocking_ask<ready>(patience).has_value());
    CHECK(log->all().size() == 1);
  }
}

LANE_TEST("stop: it finishes its handler, then cleans up, and may ask meanwhile") {
  const auto log = new_book();
  const auto target = on.spawn_back(
      [](self<mortal> me, book out) -> actor {
        ref<word> boss;
        const auto served = co_await me.serve(
            [&](const word& w) -> troupe::task<> {
              out->add("begin " + w.text);
              me.stop();
              co_await me.sleep(1ms);
              out->add("end " + w.text);
            },
            [](ready) { return 0u; }, [](const end_with&) {}, [&](const say_and_end& s) { boss = s.to; },
            [](const tie&) {}, [](const untie&) {});
        out->add(text_of(served));
        const auto sent = co_await boss.send<word>("cleaned up");
        out->add(text_of(sent));
      },
      log);
  on.play_front<watching>([&](self<watching>& me) -> troupe::task<void> {
    me.monitor(target.far);
    const ref<word> here = me.me();
    (void)co_await target.far.send<say_and_end>(here, 0);
    (void)co_await target.far.send<word>("one");
    (void)co_await target.far.send<word>("two");
    const std::string first = co_await next_line(me);
    CHECK(first == "cleaned up");
    const std::string second = co_await next_line(me);
    CHECK(second == "DOWN stopped");
  });
  CHECK(log->all() == lines{"begin one", "end one", "stopped", "ok"});
}

LANE_TEST("kill: what lies in the mailbox becomes dead letters on the actor's node") {
  const auto target = on.spawn_back([](self<word> me) -> actor { co_await me.sleep(1h); });
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    for (int i = 0; i < 100; ++i) (void)co_await target.far.send<word>("x");
  });
  CHECK(eventually([&] { return on.pending() == 100; }));
  on.kill(target);
  CHECK(eventually([&] { return on.undelivered(errc::no_such_actor) == 100; }));
  CHECK(on.back().dead_letters().size() == 64);
}

LANE_TEST(
    "supervision: an actor that restarts keeps its ref and its mailbox, and a monitor hears nothing of it") {
  struct nursery {
    ref<mortal> child;
    gate born;
  };
  const auto n = std::make_shared<nursery>();
  const auto words = new_counter();
  const auto boss = on.back().spawn(
      on.at_back(),
      [](self<word> me, std::shared_ptr<nursery> to, counter w) -> actor {
        troupe::supervision often;
        often.most_restarts = 1000;
        often.backoff = {100us, 200us};
        me.supervise(often);
        to->child = me.spawn(troupe::restart_on_failure(run_mortal), w);
        to->born.open();
        co_await me.serve([](const word&) {});
      },
      n, words);
  REQUIRE(n->born.wait());
  const auto child = on.introduce(n->child);
  on.play_front<watching>([&](self<watching>& me) -> troupe::task<void> {
    me.monitor(child.far);
    for (int life = 0; life < 50; ++life) {
      for (int i = 0; i < 3; ++i) (void)co_await child.far.send<word>("x");
      (void)co_await child.far.send<end_with>("again");
    }
    const auto taken = co_await child.far.ask<ready>().within(patience);
    CHECK((taken && *taken == 150));
    on.kill(child);
    const std::string line = co_await next_line(me);
    CHECK(line == "DOWN killed");
  });
  on.back().stop(boss);
  CHECK(on.left_alive(0));
}
