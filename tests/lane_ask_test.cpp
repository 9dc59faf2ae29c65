// ask on every lane: replies of every kind, every way in which there is none, deadlines and cancellation.
#include "lane_suite.hpp"

#include <stdexcept>

#include <troupe/when.hpp>

namespace lane_ask {

struct twice {
  using reply = std::int64_t;
  std::int64_t value;
};
struct repeat {
  using reply = std::vector<std::string>;
  std::string text;
  std::uint32_t times;
};
struct person {
  std::string name;
  std::optional<std::uint32_t> age;
  bool operator==(const person&) const = default;
};
struct find {
  using reply = person;
  std::string name;
};
struct touch {
  using reply = void;
};
struct fail {
  using reply = std::int64_t;
};
struct never {
  using reply = std::int64_t;
};
struct later {
  using reply = std::int64_t;
};
using service = troupe::protocol<twice, repeat, find, touch, fail, never, later>;

struct question {
  using reply = std::int32_t;
};
struct aside {
  std::string bytes;
};
using desk = troupe::protocol<question, aside>;

struct step {  // answered with the milliseconds that were left at the last hop
  using reply = std::int64_t;
  std::int32_t hops;
};
struct hold {
  using reply = void;
};
using relay = troupe::protocol<step, hold>;

struct job {
  using reply = std::string;
  std::string what;
};
struct release {};
using office = troupe::protocol<job, release>;

}  // namespace lane_ask

using namespace test;
using namespace lane_ask;
using nothing = troupe::protocol<>;

namespace {

/// Answers; later a little later, never not at all, and a fail ends it.
actor run_service(self<service> me) {
  co_await me.serve([](twice t) { return 2 * t.value; },
                    [](const repeat& r) { return std::vector<std::string>(r.times, r.text); },
                    [](const find& f) {
                      return person{f.name, f.name.empty() ? std::nullopt : std::optional<std::uint32_t>(40)};
                    },
                    [](touch) {}, [](fail) -> std::int64_t { throw std::runtime_error("cannot"); },
                    [&](never) -> troupe::task<std::int64_t> {
                      co_await me.sleep(1h);
                      co_return 0;
                    },
                    [&](later) -> troupe::task<std::int64_t> {
                      co_await me.sleep(2ms);
                      co_return 1;
                    });
}

using tally = std::shared_ptr<std::atomic<int>>;

/// Leaves its mailbox alone until the gate is open, then answers.
actor run_desk(self<desk> me, tally handled) {
  const bool open = co_await passes(me.node(), "open");
  if (!open) co_return;
  co_await me.serve([&](question) { return handled->fetch_add(1); }, [](const aside&) {});
}

/// A desk behind its gate.
struct closed_desk {
  explicit closed_desk(lane_case& o, std::uint32_t mailbox = 1024)
      : on(o), who(o.spawn_back(o.at_back(mailbox), run_desk, handled)) {}
  void open() { gate.open(on.back()); }
  void finish() {
    gate.remove(on.back());
    on.stop(who);
    CHECK(on.left_alive(0));
  }
  int asked() { return handled->load(); }

  lane_case& on;
  tally handled = std::make_shared<std::atomic<int>>(0);
  placed<desk> who;
  named_gate gate{"open"};
};

std::int64_t left_ms(const std::optional<troupe::duration>& left) {
  return left ? std::chrono::duration_cast<std::chrono::milliseconds>(*left).count() : -1;
}

/// Passes a step on to `next`; the last one tells what time is left. A hold sleeps until it is cancelled.
actor run_relay(self<relay> me, ref<relay> next, book log) {
  co_await me.serve(
      [&](step s) -> troupe::task<std::int64_t> {
        log->add("start");
        if (s.hops == 0) co_return left_ms(me.remaining());
        const auto answer = co_await next.ask<step>(s.hops - 1);
        co_return answer ? *answer : -2;
      },
      [&](hold) -> troupe::task<> {
        struct watch {
          explicit watch(book b) : to(std::move(b)) { to->add("begin"); }
          ~watch() { to->add("end"); }
          book to;
        } seen(log);
        if (next) (void)co_await next.ask<hold>().within(1h);
        co_await me.sleep(1h);
      });
}

actor run_holder(self<nothing> me, ref<relay> to) {
  (void)me;
  (void)co_await to.ask<hold>().within(1h);
}

std::string outcome(const auto& r) {
  if (r) return "ok";
  return std::string(troupe::to_string(r.error().code));
}

}  // namespace

LANE_TEST("ask: replies of every kind come back, small and large, and none at all") {
  const auto s = on.spawn_back(run_service);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto number = co_await s.far.ask<twice>(21).within(patience);
    CHECK((number && *number == 42));
    const auto done = co_await s.far.ask<touch>();
    CHECK(done.has_value());
    const auto known = co_await s.far.ask<find>("Ada").within(patience);
    CHECK((known && *known == person{"Ada", 40}));
    const auto unknown = co_await s.far.ask<find>("").within(patience);
    CHECK((unknown && !unknown->age));
    const std::string word(100, 'w');
    const auto list = co_await s.far.ask<repeat>(word, 600).within(patience);
    CHECK((list && *list == std::vector<std::string>(600, word)));
    const auto longer = co_await s.far.ask<repeat>(word, 5'000).within(patience);  // in chunks
    CHECK((longer && *longer == std::vector<std::string>(5'000, word)));
    const std::string huge(200'000, 'h');
    const auto both = co_await s.far.ask<repeat>(huge, 2).within(patience);
    CHECK((both && *both == std::vector<std::string>(2, huge)));
    const auto too_much = co_await s.far.ask<repeat>(word, 12'000).within(patience);  // a reply of over 1 MiB
    CHECK(outcome(too_much) == (on.local() ? "ok" : "too large"));
  });
  const auto blocking = s.far.blocking_ask<twice>(patience, 4);
  CHECK((blocking && *blocking == 8));
}

LANE_TEST("ask: many actors ask at once, and each gets its own reply") {
  const auto s = on.spawn_back(run_service);
  const auto log = new_book();
  constexpr int askers = 200;
  for (int i = 0; i < askers; ++i) {
    on.front().spawn(
        [](self<nothing> me, ref<service> to, int number, book out) -> actor {
          (void)me;
          std::string said = "ok";
          for (int round = 0; round < 20; ++round) {
            const auto got = co_await to.ask<twice>(1000 * number + round).within(patience);
            if (!got || *got != 2 * (1000 * number + round)) said = outcome(got);
          }
          out->add(said);
        },
        s.far, i, log);
  }
  CHECK(log->wait_for(askers) == lines(askers, "ok"));
}

LANE_TEST(
    "ask: a failing handler, a dead actor and one that dies while it works each answer with their error") {
  const auto brittle = on.spawn_back(run_service);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto failed = co_await brittle.far.ask<fail>().within(patience);
    CHECK(outcome(failed) == "handler failed");
  });
  CHECK(on.left_alive(0));
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto dead = co_await brittle.far.ask<twice>(1).within(1h);
    CHECK(outcome(dead) == "no such actor");
  });
  CHECK(outcome(brittle.far.blocking_ask<twice>(patience, 1)) == "no such actor");

  const auto stuck = on.spawn_back(run_service);
  settled(on.front());
  const std::uint64_t taken = settled(on.back()).taken;
  auto first = on.start_front([&](self<nothing>&) -> troupe::task<void> {
    const auto given_up = co_await stuck.far.ask<never>().within(patience);
    expect(outcome(given_up), "no reply");
  });
  CHECK(eventually([&] { return on.back().accounting().taken == taken + 1; }));
  auto second = on.start_front([&](self<nothing>&) -> troupe::task<void> {
    const auto behind = co_await stuck.far.ask<touch>().within(patience);
    expect(outcome(behind), "no such actor");
  });
  CHECK(eventually([&] { return on.pending() == 1; }));
  on.kill(stuck);
  first.finish();
  second.finish();
}

LANE_TEST("ask: a request in the mailbox of an actor that stops is answered with that") {
  const auto s = on.spawn_back(run_service);
  const std::uint64_t taken = settled(on.back()).taken;
  const ref<> holder = on.spawn_front(
      [](self<nothing> me, ref<service> to) -> actor {
        (void)me;
        (void)co_await to.ask<never>().within(1h);
      },
      s.far);
  CHECK(eventually([&] { return on.back().accounting().taken > taken; }));
  auto behind = on.start_front([&](self<nothing>&) -> troupe::task<void> {
    const auto asked = co_await s.far.ask<twice>(1).within(patience);
    expect(outcome(asked), "stopped");
  });
  CHECK(eventually([&] { return on.pending() == 1; }));
  on.stop(s);
  on.front().kill(holder);  // the handler at work is cancelled
  behind.finish();
  CHECK(on.left_alive(0));
}

LANE_TEST("ask: a request whose deadline has passed is not started") {
  closed_desk d(on);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto late = co_await d.who.far.ask<question>().within(20ms);
    CHECK(outcome(late) == "deadline passed");
  });
  CHECK(eventually([&] { return on.undelivered(errc::expired) == 1; }));  // it leaves the queue at once
  CHECK(eventually([&] { return on.pending() == 0; }));
  d.open();
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto next = co_await d.who.far.ask<question>().within(patience);
    CHECK((next && *next == 0));
  });
  CHECK(on.undelivered(errc::expired) == 1);
  d.finish();
  CHECK(d.asked() == 1);
}

LANE_TEST("ask: a request that still waits for room at its deadline says mailbox full and is never sent") {
  closed_desk d(on, 8);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    for (const std::size_t size : {16'000u, 2'000u, 250u, 30u, 0u}) {  // down to the last bytes of credit
      const std::string bytes(size, 'x');
      for (bool room = true; room;) {
        const auto sent = co_await d.who.far.send<aside>(bytes).within(2ms);
        room = sent.has_value();
        if (!room) CHECK(outcome(sent) == "deadline passed");
      }
    }
    for (int i = 0; i < 3; ++i) {
      const auto asked = co_await d.who.far.ask<question>().within(2ms);
      CHECK(outcome(asked) == "mailbox full");
    }
  });
  d.open();
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto next = co_await d.who.far.ask<question>().within(patience);
    CHECK((next && *next == 0));
  });
  d.finish();
  CHECK(d.asked() == 1);
}

LANE_TEST("ask: what expires says where the request was, as far as can be known from here") {
  const auto s = on.spawn_back(run_service);
  const std::uint64_t taken = settled(on.back()).taken;
  auto holding = on.start_front([&](self<nothing>&) -> troupe::task<void> {
    const auto running = co_await s.far.ask<never>().within(150ms);
    if (running) throw std::runtime_error("never was answered");
    const std::string where = running.error().text();
    expect(where, on.local() ? "deadline passed (running)" : "deadline passed (sent to another node)");
  });
  CHECK(eventually([&] { return on.back().accounting().taken > taken; }));
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto queued = co_await s.far.ask<twice>(1).within(30ms);
    CHECK(!queued);
    CHECK(queued.error().text() ==
          (on.local() ? "deadline passed (queued at 1)" : "deadline passed (sent to another node)"));
  });
  holding.finish();
}

LANE_TEST("ask: askers killed while they wait leave nothing behind, and nothing is started for them") {
  closed_desk d(on);
  std::vector<ref<>> askers;
  for (unsigned i = 0; i < 20; ++i) {
    askers.push_back(on.front().spawn(
        on_worker(i),
        [](self<nothing> me, ref<desk> to) -> actor {
          (void)me;
          (void)co_await to.ask<question>().within(1h);
        },
        d.who.far));
  }
  CHECK(eventually([&] { return on.pending() == 20; }));
  for (const ref<>& a : askers) on.front().kill(a);
  CHECK(eventually([&] { return on.undelivered(errc::expired) == 20; }));  // the word has come there
  CHECK(on.left_alive(1));
  d.open();
  d.finish();
  CHECK(d.asked() == 0);
}

LANE_TEST("replier: it answers later and in any order, from another actor too, or is dropped") {
  struct hand_over {  // stays in the process
    std::string what;
    troupe::replier<std::string> reply;
  };
  const auto hand = on.back().spawn(on.at_back(), [](self<hand_over> me) -> actor {
    co_await me.serve([](hand_over o) {
      if (o.what != "nothing") o.reply.reply("did " + o.what);
    });
  });
  const auto s = on.spawn_back(
      [](self<office> me, ref<hand_over> to) -> actor {
        std::vector<troupe::replier<std::string>> kept;
        co_await me.serve(
            [&](job j, troupe::replier<std::string> reply) -> troupe::task<> {
              if (j.what == "keep") {
                kept.push_back(std::move(reply));
                co_return;
              }
              (void)co_await to.send<hand_over>(troupe::give(j.what), troupe::give(reply));
            },
            [&](release) {
              for (; !kept.empty(); kept.pop_back()) kept.back().reply("kept " + std::to_string(kept.size()));
            });
      },
      hand);
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    const auto done = co_await s.far.ask<job>("this").within(patience);
    CHECK((done && *done == "did this"));
    const auto dropped = co_await s.far.ask<job>("nothing").within(patience);
    CHECK(outcome(dropped) == "no reply");
    (void)me.send_after<release>(1ms, s.far);
    const auto [one, two] = co_await troupe::when_all(s.far.ask<job>("keep").within(patience),
                                                      s.far.ask<job>("keep").within(patience));
    CHECK((one && two && *one == "kept 1" && *two == "kept 2"));
  });
  on.back().stop(hand);
}

LANE_TEST("replier: a reply to an asker that has gone is counted, and here its replier knows before") {
  const auto log = new_book();
  const auto s = on.spawn_back(
      [](self<office> me, book said) -> actor {
        troupe::replier<std::string> kept;
        co_await me.serve(
            [&](const job&, troupe::replier<std::string> reply) {
              kept = std::move(reply);
              said->add(kept.wanted() ? "wanted" : "not wanted");
            },
            [&](release) {
              said->add(kept.wanted() ? "wanted" : "not wanted");
              kept.reply("late");
            });
      },
      log);
  const auto asker = on.spawn_front(
      [](self<nothing> me, ref<office> to) -> actor {
        (void)me;
        (void)co_await to.ask<job>("x").within(1h);
      },
      s.far);
  CHECK(log->wait_for(1) == lines{"wanted"});
  on.front().kill(asker);
  CHECK(on.left_alive(1));
  on.play_front([&](self<nothing>&) -> troupe::task<void> { (void)co_await s.far.send<release>(); });
  CHECK(log->wait_for(2).back() == (on.local() ? "not wanted" : "wanted"));
  CHECK(eventually([&] { return on.front().accounting().replies_lost == 1; }));
  on.stop(s);
  CHECK(on.left_alive(0));
}

LANE_TEST("deadline: what is asked for in a request inherits its time, over three hops") {
  const auto log = new_book();
  const auto last = on.spawn_back(run_relay, ref<relay>(), log);
  const auto middle = on.spawn_front(run_relay, last.far, log);
  const auto first = on.spawn_front(run_relay, middle, log);
  const auto left = first.blocking_ask<step>(50s, 2);
  REQUIRE(left.has_value());
  CHECK(*left <= 50'000);
  CHECK(*left > 5'000);  // more than the default of an ask: inherited
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    CHECK(!me.remaining());
    const auto direct = co_await last.far.ask<step>(0).within(10s);
    CHECK((direct && *direct <= 10'000 && *direct > 5'000));
    CHECK(!me.remaining());
  });
}

LANE_TEST(
    "cancel: an ask that expires or whose asker is killed cancels the handlers that work on it, hop by hop") {
  const auto log = new_book();
  const auto last = on.spawn_back(run_relay, ref<relay>(), log);
  const auto first = on.spawn_front(run_relay, last.far, log);
  CHECK(first.blocking_ask<hold>(50ms).error() == errc::expired);
  CHECK(log->wait_for(4).size() == 4);
  const ref<> asker = on.front().spawn(on.at_front(), run_holder, first);
  REQUIRE(log->wait_for(6).size() == 6);
  on.front().kill(asker);
  auto all = log->wait_for(8);
  std::ranges::sort(all);
  CHECK(all == lines{"begin", "begin", "begin", "begin", "end", "end", "end", "end"});
  const auto next = first.blocking_ask<step>(patience, 1);  // they go on
  CHECK(next.has_value());
}

LANE_TEST("cancel: what is still queued when its asker is killed is not started") {
  const auto log = new_book();
  const auto last = on.spawn_back(run_relay, ref<relay>(), log);
  const ref<> running = on.front().spawn(on.at_front(), run_holder, last.far);
  REQUIRE(log->wait_for(1) == lines{"begin"});
  settled(on.back());  // nothing of its own is on its way any more: what is pending now is the request
  const ref<> queued = on.front().spawn(on.at_front(), run_holder, last.far);
  REQUIRE(eventually([&] { return on.pending() == 1; }));
  on.front().kill(queued);
  CHECK(eventually([&] { return on.pending() == 0; }));
  on.front().kill(running);
  CHECK(log->wait_for(2) == lines{"begin", "end"});
  CHECK(eventually([&] { return on.undelivered(errc::expired) == 1; }));
  CHECK(log->all().size() == 2);
}

LANE_TEST("when_all: several requests are under way at once") {
  const auto one = on.spawn_back(run_service);
  const auto two = on.spawn_back(run_service);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto [a, b, c] = co_await troupe::when_all(
        one.far.ask<twice>(1), two.far.ask<twice>(2).within(patience), one.far.ask<later>());
    CHECK((a && b && c && *a + *b + *c == 7));
  });
}

LANE_TEST("when_any: the first reply wins, and the other requests are given up") {
  const auto fast = on.spawn_back(run_service);
  const auto slow = on.spawn_back(run_service);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto asks = [](ref<service> to, bool answers) -> troupe::task<std::int64_t> {
      if (answers) {
        const auto got = co_await to.ask<twice>(4).within(patience);
        co_return got ? *got : -1;
      }
      const auto none = co_await to.ask<never>().within(1h);
      co_return none ? *none : -2;
    };
    std::vector<troupe::task<std::int64_t>> all;
    all.push_back(asks(slow.far, false));
    all.push_back(asks(fast.far, true));
    const auto won = co_await troupe::when_any(std::move(all));
    CHECK((won.index == 1 && won.value == 8));
    const auto next =
        co_await slow.far.ask<twice>(1).within(patience);  // its mailbox would wait for that handler
    CHECK((next && *next == 2));
  });
}

LANE_TEST("select: a losing ask is given up: its handler is cancelled") {
  const auto slow = on.spawn_back(run_service);
  const auto fast = on.spawn_back(run_service);
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    const auto won = co_await troupe::select(slow.far.ask<never>().within(1h), fast.far.ask<twice>(4));
    CHECK((won.index() == 1 && *std::get<1>(won) == 8));
    const auto next = co_await slow.far.ask<twice>(1).within(patience);
    CHECK((next && *next == 2));
    const auto timed = co_await troupe::select(slow.far.ask<never>().within(1h), me.sleep(1ms));
    CHECK(timed.index() == 1);
    const auto after = co_await slow.far.ask<twice>(2).within(patience);
    CHECK((after && *after == 4));
  });
  CHECK(on.front().accounting().replies_lost == 0);
}
