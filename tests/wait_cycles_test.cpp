// The watchdog names wait cycles among asks and full mailboxes, once each, and nothing that is no cycle.
#include "watchdog_kit.hpp"

#include <algorithm>

#include <troupe/when.hpp>

using namespace test;

namespace {

struct ping {
  using reply = int;
};
struct filler {
  int number = 0;
};
struct arrive {
  using reply = int;
};
/// Those who wait for each other are all to be in their handlers before the first of them asks: they meet here.
using meeting = ref<arrive>;
actor run_meeting(self<arrive> me, std::size_t of) {
  std::vector<troupe::replier<int>> here;
  co_await me.serve([&](arrive, troupe::replier<int> one) {
    here.push_back(std::move(one));
    if (here.size() < of) return;
    for (auto& each : here) each.reply(0);
  });
}

struct ask_that {
  ref<ping> one;
  std::chrono::milliseconds within{};
  meeting all;
};
struct fill_that {
  ref<filler> one;
  meeting all;
};
class bulk {
  char bytes_[1 << 20] = {};
};
struct handed_on {
  troupe::replier<int> open;
};
using work = troupe::protocol<ping, filler, ask_that, fill_that>;

/// Answers pings; asks, or fills the mailbox of, whom it is told.
actor run_worker(self<work> me, book said) {
  co_await me.serve([](ping) { return 1; }, [](filler) {},
                    [&](const ask_that& whom) -> troupe::task<void> {
                      (void)co_await whom.all.ask<arrive>().within(1h);
                      const auto answer = co_await whom.one.ask<ping>().within(whom.within);
                      said->add(answer ? "answered" : std::string(to_string(answer.error().code)));
                    },
                    [&](const fill_that& whom) -> troupe::task<void> {
                      (void)co_await whom.all.ask<arrive>().within(1h);
                      bool more = true;
                      while (more) more = static_cast<bool>(co_await whom.one.send<filler>(1));
                      said->add("no more to fill");
                    });
}

struct ring {
  ring(host& h, unsigned size, unsigned workers, book said, std::uint32_t mailbox = 8) {
    for (unsigned i = 0; i < size; ++i)
      actors.push_back(h->spawn(named(std::string(1, static_cast<char>('a' + i)), i % workers, mailbox),
                                run_worker, said));
  }
  ref<work> next(std::size_t i) const { return actors[(i + 1) % actors.size()]; }
  void ask_each_other(host& h, std::chrono::milliseconds within) const {
    const meeting all = h->spawn(run_meeting, actors.size());
    for (std::size_t i = 0; i < actors.size(); ++i)
      REQUIRE(actors[i].try_send<ask_that>(next(i), within, all).has_value());
  }
  void kill(host& h) const {
    for (const auto& a : actors) h->kill(a);
  }
  std::vector<ref<work>> actors;
};

constexpr auto hour = 3'600'000ms;

}  // namespace

TEST_CASE("wait cycle: asks that wait for each other are reported once, with path and lines") {
  const unsigned size = GENERATE(1u, 2u, 3u, 5u);
  const unsigned workers = GENERATE(1u, 2u);
  alarm_lines alarms;
  host h(workers, named_node("n"));
  const auto said = new_book();
  const ring r(h, size, workers, said);
  const stopwatch since;
  r.ask_each_other(h, 300ms);
  const lines found = alarms.wait_for(1);
  REQUIRE(found.size() == 1);
  since.print("cycle of " + std::to_string(size) + " asks, " + std::to_string(workers) +
              " workers: reported");
  CHECK(since.elapsed() < 1s);
  INFO(found[0]);
  CHECK(found[0].rfind("n: wait cycle: /n/", 0) == 0);
  for (unsigned i = 0; i < size; ++i) {
    const auto name = [&](unsigned k) { return std::string("/n/") + static_cast<char>('a' + k % size); };
    std::string edge = name(i);
    edge.append(" (mailbox 1 of 8) asks ").append(name(i + 1)).append(" at ");
    CHECK(found[0].find(edge) != std::string::npos);
  }
  CHECK(found[0].find("wait_cycles_test.cpp:") != std::string::npos);

  // The first deadline ends it. It was looked for again meanwhile, by everybody; a new one is a new alarm.
  REQUIRE(said->wait_for(size).size() == size);
  CHECK(h->inspect().alarms_total == 1);
  r.ask_each_other(h, 60s);
  REQUIRE(alarms.wait_for(2).size() == 2);
  const troupe::node_info node = h->inspect();
  REQUIRE(node.alarms_total == 2);
  CHECK("n: " + node.alarms[1] == alarms.all()[1]);
  CHECK(node.text().find("alarm: wait cycle: ") != std::string::npos);
  r.kill(h);
  h.finish();
}

TEST_CASE("row 34: two actors full to each other: both wait, control passes, and the watchdog names both") {
  const unsigned workers = GENERATE(1u, 2u);
  alarm_lines alarms;
  host h(workers, named_node("n"));
  const auto said = new_book();
  const ring r(h, 2, workers, said, 2);
  const meeting both = h->spawn(run_meeting, std::size_t{2});
  for (std::size_t i = 0; i < 2; ++i) REQUIRE(r.actors[i].try_send<fill_that>(r.next(i), both).has_value());
  const stopwatch since;
  const lines found = alarms.wait_for(1);
  REQUIRE(found.size() == 1);
  since.print("two full mailboxes: reported");
  INFO(found[0]);
  CHECK(found[0].find("/n/a (mailbox 2 of 2) waits for room of /n/b at ") != std::string::npos);
  CHECK(found[0].find("/n/b (mailbox 2 of 2) waits for room of /n/a at ") != std::string::npos);
  CHECK(r.actors[0].try_send<filler>(1).error() == errc::full);

  const auto ended = new_book();
  h->spawn(
      [](self<troupe::down> me, ref<work> whom, book to) -> actor {
        me.monitor(whom);
        me.node().kill(whom);
        co_await me.receive([&](const troupe::down& d) { to->add(std::string(to_string(d.reason.kind))); });
      },
      r.actors[0], ended);
  CHECK(ended->wait_for(1) == lines{"killed"});
  CHECK(said->wait_for(1) == lines{"no more to fill"});  // the other is free again
  CHECK(h->inspect().alarms_total == 1);
  h.finish();
}

TEST_CASE("wait cycle: an ask and a full mailbox, below a parent and started by a third actor") {
  alarm_lines alarms;
  host h(2, named_node("n"));
  const auto said = new_book();
  const auto parent = h->spawn(
      named("pool", 1),
      [](self<work> me, book to) -> actor {
        const auto a = me.spawn(named("the first", 0, 2), run_worker, to);
        const auto b = me.spawn(named("b", 1, 8), run_worker, to);
        const meeting both = me.spawn(run_meeting, std::size_t{2});
        co_await a.send<ask_that>(b, hour, both);
        co_await b.send<fill_that>(a, both);
        const auto answer = co_await a.ask<ping>().within(hour);  // waits for the cycle and is no part of it
        must(!answer);
      },
      said);
  const lines found = alarms.wait_for(1);
  REQUIRE(found.size() == 1);
  INFO(found[0]);
  CHECK(found[0].find("/n/pool/the first (mailbox 2 of 2) asks /n/pool/b at ") != std::string::npos);
  CHECK(found[0].find("/n/pool/b (mailbox ") != std::string::npos);
  CHECK(found[0].find("waits for room of /n/pool/the first at ") != std::string::npos);
  h->kill(parent);
  h.finish();
}

TEST_CASE("watchdog: a selective receive before a mailbox full of other messages is reported") {
  alarm_lines alarms;
  host h(2, named_node("n"));
  const auto picky =
      h->spawn(named("picky", 0, 2), [](self<work> me) -> actor { co_await me.receive<ping>(); });
  const auto sender = h->spawn(
      named("sender", 1),
      [](self<troupe::protocol<>> me, ref<work> to) -> actor {
        (void)me;
        while (co_await to.send<filler>(1)) continue;
      },
      picky);
  const lines found = alarms.wait_for(1);
  REQUIRE(found.size() == 1);
  INFO(found[0]);
  CHECK(found[0].find("selective receive before a full mailbox: /n/picky waits for ") != std::string::npos);
  CHECK(found[0].find("mailbox 2 of 2 holds others; 1 senders wait") != std::string::npos);
  h->kill(sender);
  h->kill(picky);
  h.finish();
}

TEST_CASE("watchdog: a selective receive that ends by itself is not reported") {
  alarm_lines alarms;
  troupe::node_options options = named_node("n");
  options.watchdog.wait = 1ms;
  host h(2, options);
  const auto said = new_book();
  const auto picky = h->spawn(
      named("picky", 0, 2),
      [](self<work> me, book to) -> actor {
        for (int i = 0; i < 3; ++i) {
          const auto got = co_await me.receive<ping>().within(60ms);
          must(!got && got.error().code == errc::expired);
        }
        to->add("nobody pings");
      },
      said);
  h->spawn(
      named("sender", 1),
      [](self<troupe::protocol<>> me, ref<work> to, book done) -> actor {
        (void)me;
        bool more = true;
        while (more) more = static_cast<bool>(co_await to.send<filler>(1));
        done->add("no more to fill");
      },
      picky, said);
  CHECK(said->wait_for(2) == lines{"nobody pings", "no more to fill"});
  CHECK(alarms.all().empty());
  h.finish();
}

TEST_CASE("watchdog: what something else may end is no wait cycle") {
  alarm_lines alarms;
  troupe::node_options options = named_node("n");
  options.watchdog.wait = 1ms;
  options.mailbox_memory = 1 << 20;
  host h(2, options);
  const auto said = new_book();

  SECTION("a select with a timer") {
    const auto a = h->spawn(
        named("a", 0),
        [](self<work> me, book to) -> actor {
          ref<ping> other;
          co_await me.receive([](ping) { return 1; }, [](filler) {},
                              [&](const ask_that& m) { other = m.one; }, [](const fill_that&) {});
          co_await troupe::select(me.sleep(200ms), other.ask<ping>().within(1h));
          to->add("slept");
          co_await me.receive([](ping) { return 1; }, [](filler) {}, [](const ask_that&) {},
                              [](const fill_that&) {});
        },
        said);
    const auto b = h->spawn(named("b", 1), run_worker, said);
    REQUIRE(a.try_send<ask_that>(b, hour, h->spawn(run_meeting, std::size_t{1})).has_value());
    REQUIRE(b.try_send<ask_that>(a, hour, h->spawn(run_meeting, std::size_t{1})).has_value());
    CHECK(said->wait_for(2) == lines{"slept", "answered"});
  }
  SECTION("interleaved handlers") {
    const auto a = h->spawn(
        named("a", 0),
        [](self<work> me, book to) -> actor {
          co_await me.serve(
              troupe::interleave(3), [](ping) { return 1; }, [](filler) {},
              [&](const ask_that& m) -> troupe::task<void> {
                co_await me.sleep(20ms);
                must(static_cast<bool>(co_await m.one.ask<ping>().within(1h)));
                to->add("answered");
              },
              [](const fill_that&) {});
        },
        said);
    const auto b = h->spawn(
        named("b", 1),
        [](self<ping> me, ref<ping> back) -> actor {
          co_await me.serve([&](ping) -> troupe::task<int> {
            const auto answer = co_await back.ask<ping>().within(1h);
            must(static_cast<bool>(answer));
            co_return *answer;
          });
        },
        ref<ping>(a));
    for (int i = 0; i < 2; ++i)
      REQUIRE(a.try_send<ask_that>(b, hour, h->spawn(run_meeting, std::size_t{1})).has_value());
    CHECK(said->wait_for(2).size() == 2);
  }
  SECTION("a request that was handed on") {
    const auto a = h->spawn(named("a", 0), run_worker, said);
    const auto later = h->spawn(named("later", 1), [](self<handed_on> me) -> actor {
      co_await me.serve([&](handed_on m) -> troupe::task<void> {
        co_await me.sleep(200ms);
        m.open.reply(1);
      });
    });
    const auto b = h->spawn(
        named("b", 1),
        [](self<ping> me, ref<ping> back, ref<handed_on> to) -> actor {
          co_await me.serve([&](ping, troupe::replier<int> open) -> troupe::task<void> {
            co_await to.send<handed_on>(troupe::give(open));
            (void)co_await back.ask<ping>().within(1h);
          });
        },
        ref<ping>(a), later);
    REQUIRE(a.try_send<ask_that>(b, hour, h->spawn(run_meeting, std::size_t{1})).has_value());
    CHECK(said->wait_for(1) == lines{"answered"});
  }
  SECTION("room in the node's mailboxes, which any actor may make") {
    const auto hoards = h->spawn(named("hoards", 0), [](self<bulk> me) -> actor {
      co_await me.sleep(200ms);
      co_await me.serve([](const bulk&) {});
    });
    REQUIRE(hoards.try_send<bulk>().has_value());
    const auto b = h->spawn(named("b", 1), run_worker, said);
    const meeting both = h->spawn(run_meeting, std::size_t{2});
    const auto a = h->spawn(
        named("a", 1),
        [](self<ping> me, ref<filler> to, meeting all, book done) -> actor {
          (void)co_await all.ask<arrive>().within(1h);
          for (int i = 0; i < 2; ++i) must(static_cast<bool>(co_await to.send<filler>(i)));
          done->add("sent");
          co_await me.serve([](ping) { return 1; });
        },
        b, both, said);
    REQUIRE(b.try_send<ask_that>(a, hour, both).has_value());
    CHECK(said->wait_for(2) == lines{"sent", "answered"});
  }
  CHECK(h->inspect().alarms_total == 0);
  CHECK(alarms.all().empty());
  h.finish();
}

TEST_CASE("wait cycle: a million asks without a cycle, fast and slow, raise no alarm") {
  alarm_lines alarms;
  troupe::node_options options = named_node("n");
  options.watchdog.wait = 200us;  // many of them are chased
  host h(2, options);
  constexpr int clients = 16;
  constexpr int each = 1'000'000 / static_cast<int>(slowdown) / clients / 2;  // and each makes another
  const auto said = new_book();
  // /c sleeps now and then, for longer than the default of `wait`.
  const auto c = h->spawn(named("c", 0), [](self<ping> me) -> actor {
    int asked = 0;
    co_await me.serve([&](ping) -> troupe::task<int> {
      if (++asked % (50'000 / static_cast<int>(slowdown)) == 0) co_await me.sleep(30ms);
      co_return 1;
    });
  });
  const auto b = h->spawn(
      named("b", 1),
      [](self<ping> me, ref<ping> to) -> actor {
        co_await me.serve(troupe::interleave(16), [&](ping) -> troupe::task<int> {
          const auto answer = co_await to.ask<ping>();
          must(static_cast<bool>(answer));
          co_return *answer;
        });
      },
      c);
  const auto strict = h->spawn(
      named("strict", 1),
      [](self<ping> me, ref<ping> to) -> actor {
        co_await me.serve([&](ping) -> troupe::task<int> {
          const auto answer = co_await to.ask<ping>();
          must(static_cast<bool>(answer));
          co_return *answer;
        });
      },
      c);
  const stopwatch since;
  for (unsigned i = 0; i < clients; ++i) {
    h->spawn(
        on_worker(i),
        [](self<ping> me, ref<ping> to, book done) -> actor {
          (void)me;
          for (int n = 0; n < each; ++n) must(static_cast<bool>(co_await to.ask<ping>().within(60s)));
          done->add("done");
        },
        i % 8 != 0 ? b : strict, said);
  }
  CHECK(said->wait_for(clients, 50s).size() == clients);
  since.print("a million asks");
  const troupe::node_info node = h->inspect();
  CHECK(node.alarms_total == 0);
  CHECK(alarms.all() == lines());
  h.finish();
}
