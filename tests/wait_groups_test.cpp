// Wait cycles through actors that wait for several things, and cycles in a crowd.
#include "remote_support.hpp"
#include "watchdog_kit.hpp"

#include <algorithm>

#include <troupe/when.hpp>

using namespace test;

namespace {

struct ping {
  using reply = int;
};
struct filler {};
struct back_to {
  ref<ping> one;
};
struct go {};
using work = troupe::protocol<ping, filler, go>;

using answer = troupe::task<bool>;
answer answers(ref<ping> one) {
  const auto got = co_await one.ask<ping>().within(1h);
  co_return static_cast<bool>(got);
}
answer both_answer(ref<ping> one, ref<ping> other) {
  const auto [a, b] = co_await troupe::when_all(one.ask<ping>().within(1h), other.ask<ping>().within(1h));
  co_return a&& b;
}
answer all_answer(ref<ping> one, ref<ping> other) {
  std::vector<answer> parts;
  parts.push_back(both_answer(other, other));
  parts.push_back(answers(one));
  const std::vector<bool> got = co_await troupe::when_all(std::move(parts));
  co_return got[0] && got[1];
}

/// Leaves pings unanswered, and could answer them at any time.
actor run_keeper(self<ping> me) {
  std::vector<troupe::replier<int>> kept;
  co_await me.serve([&](ping, troupe::replier<int> one) { kept.push_back(std::move(one)); });
}

/// Answers a ping when the one that it was told has answered one.
actor run_relay(self<troupe::protocol<ping, back_to>> me) {
  const auto told = co_await me.receive<back_to>();
  if (!told) co_return;
  co_await me.serve(
      [&](ping) -> troupe::task<int> {
        (void)co_await told->one.ask<ping>().within(1h);
        co_return 1;
      },
      [](back_to) {});
}

actor run_worker(self<work> me, int shape, ref<ping> one, ref<ping> other) {
  if (shape == 0) (void)co_await troupe::when_all(one.ask<ping>().within(1h), other.ask<ping>().within(1h));
  co_await me.serve([](ping) { return 1; }, [](filler) {},
                    [&](go) -> troupe::task<void> {
                      if (shape == 1) (void)co_await both_answer(one, other);
                      if (shape == 2) (void)co_await all_answer(one, other);
                    });
}

}  // namespace

TEST_CASE("wait cycle: through a when_all, in no receive, in a handler, and in tasks of another") {
  const int shape = GENERATE(0, 1, 2);
  alarm_lines alarms;
  host h(2, named_node("n"));
  const auto keeper = h->spawn(run_keeper);
  const auto b = h->spawn(named("b", 1), run_relay);
  const auto a = h->spawn(named("a", 0), run_worker, shape, b, keeper);
  REQUIRE(b.try_send<back_to>(a).has_value());
  REQUIRE(a.try_send<go>().has_value());
  const lines found = alarms.wait_for(1);
  REQUIRE(found.size() == 1);
  INFO(found[0]);
  CHECK(found[0].find("/n/a (mailbox ") != std::string::npos);
  CHECK(found[0].find(" asks /n/b at ") != std::string::npos);
  CHECK(found[0].find("/n/b (mailbox 0 of 1024) asks /n/a at ") != std::string::npos);
  h->kill(a);
  h.finish();
}

TEST_CASE("watchdog: no wait cycle through an actor that any one of several things may free") {
  alarm_lines alarms;
  troupe::node_options options = named_node("n");
  options.watchdog.wait = 1ms;
  host h(2, options);
  const auto keeper = h->spawn(run_keeper);
  const auto b = h->spawn(named("b", 1), run_relay);
  const auto said = new_book();
  ref<ping> a;

  const int way = GENERATE(0, 1, 2);
  if (way == 0) {  // select
    a = h->spawn(
        [](self<work> me, ref<ping> one, ref<ping> other, book to) -> actor {
          co_await troupe::select(one.ask<ping>().within(1h), other.ask<ping>().within(1h), me.sleep(200ms));
          to->add("free");
        },
        b, keeper, said);
  }
  if (way == 1) {  // when_any, and a when_all in it
    a = h->spawn(
        [](self<work> me, ref<ping> one, ref<ping> other, book to) -> actor {
          std::vector<answer> any;
          any.push_back(both_answer(one, other));
          any.push_back(all_answer(one, other));
          co_await troupe::select(troupe::when_any(std::move(any)), me.sleep(200ms));
          to->add("free");
        },
        b, keeper, said);
  }
  if (way == 2) {  // a task of a when_all that will receive
    a = h->spawn(
        [](self<work> me, ref<ping> one, book to) -> actor {
          const auto later = [](self<work>& mine) -> troupe::task<void> {
            co_await mine.sleep(200ms);
            (void)co_await mine.receive([](ping) { return 1; }, [](filler) {}, [](go) {});
          };
          auto receives = later(me);
          co_await troupe::when_all(one.ask<ping>().within(1h), receives);
          to->add("free");
        },
        b, said);
  }
  REQUIRE(b.try_send<back_to>(a).has_value());
  CHECK(said->wait_for(1) == lines{"free"});
  CHECK(h->inspect().alarms_total == 0);
  CHECK(alarms.all().empty());
  h.finish();
}

TEST_CASE("wait cycle: among thousands who wait for one of its actors") {
  constexpr std::uint64_t others = 8000;
  const bool ask = GENERATE(true, false);
  alarm_lines alarms;
  troupe::node_options options = named_node("n");
  options.watchdog.held = {};
  host h(2, options);
  const auto b = h->spawn(named("b", 1), run_relay);
  const auto held = h->spawn(on_worker(0), run_keeper);
  const auto a = h->spawn(
      named("a", 0, 16),
      [](self<work> me, ref<ping> one, ref<ping> until) -> actor {
        co_await troupe::select(until.ask<ping>().within(1h), me.receive<go>());
        (void)co_await one.ask<ping>().within(1h);
      },
      b, held);
  for (std::uint64_t i = 0; i < others; ++i) {
    h->spawn(
        on_worker(static_cast<unsigned>(i)),
        [](self<troupe::protocol<>> me, ref<work> to, bool asks) -> actor {
          (void)me;
          if (asks) {
            (void)co_await to.ask<ping>().within(1h);
          } else {
            (void)co_await to.send<filler>();
          }
        },
        a, ask);
  }
  const auto crowded = [&] {
    const std::vector<troupe::actor_info> all = h->inspect().actors;
    const auto it = std::ranges::find(all, "/n/a", &troupe::actor_info::path);
    return it != all.end() && it->mailbox + it->waiting == others;
  };
  REQUIRE(eventually(crowded));
  REQUIRE(b.try_send<back_to>(a).has_value());
  h->kill(held);  // /a goes on: its request to /b, and behind all the others /b's to /a
  const stopwatch since;
  const lines found = alarms.wait_for(1);
  since.print("cycle in a crowd: reported");
  REQUIRE(found.size() == 1);
  INFO(found[0]);
  CHECK(found[0].find(" of 16) asks /n/b at ") != std::string::npos);
  CHECK(found[0].find("/n/b (mailbox 0 of 1024) asks /n/a at ") != std::string::npos);
  CHECK(since.elapsed() < 5s);
  CHECK(h->inspect().alarms_total == 1);
  h->kill(a);
  h.finish();
}
