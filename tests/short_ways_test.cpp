// What the short ways of a message (actor_core::push_here, next_plain, a receive that does not suspend) must leave to the
// long ones: who waits for room, whose time is over, who comes next.
#include "actor_support.hpp"

#include <troupe/when.hpp>
#include <troupe/yield.hpp>

using namespace test;

namespace {

struct number {
  int value;
};
struct large {
  std::string bytes;
};
using counter = std::shared_ptr<std::atomic<int>>;
counter new_counter() { return std::make_shared<std::atomic<int>>(0); }

constexpr int each = 100;

actor run_server(self<number> me, counter came) {
  co_await me.serve([&](number) { ++*came; });
}
actor run_receiver(self<number> me, counter came) {
  const auto take = [&](number) { ++*came; };
  for (;;) {
    const auto got = co_await me.receive(take);
    if (!got) co_return;
  }
}
actor run_source(self<troupe::protocol<>>, ref<number> to) {
  for (int i = 0; i < each; ++i) {
    const auto sent = co_await to.send<number>(i);
    must(sent.has_value());
  }
}

}  // namespace

TEST_CASE("whoever waits for room is let in, however small the mailbox is") {
  for (const unsigned room : {1u, 2u, 3u, 5u}) {
    for (const auto taker : {&run_server, &run_receiver}) {
      host h(1);
      const auto came = new_counter();
      const auto to = h->spawn({.mailbox = room}, taker, came);
      for (int i = 0; i < 3; ++i) h->spawn(run_source, to);
      CHECK(eventually([&] { return *came == 3 * each; }));
      h.finish();
    }
  }
}

TEST_CASE("whoever waits for room is let in when the last message was most of what there is room for") {
  host h(1);
  const auto came = new_counter();
  const auto to = h->spawn(
      {.mailbox_bytes = 1 << 20},
      [](self<large> me, counter all) -> actor { co_await me.serve([&](large) { ++*all; }); }, came);
  for (int i = 0; i < 4; ++i) {
    h->spawn(
        [](self<troupe::protocol<>>, ref<large> sink) -> actor {
          for (int k = 0; k < 10; ++k) {
            const auto sent = co_await sink.send<large>(std::string(600'000, 'x'));
            must(sent.has_value());
          }
        },
        to);
  }
  CHECK(eventually([&] { return *came == 40; }));
  h.finish();
}

namespace {

troupe::task<void> yield_for_ever(self<number>& me, counter rounds) {
  for (;;) {
    ++*rounds;
    co_await me.yield();
  }
}
actor run_beside(self<number> me, counter rounds, counter came) {
  const auto take = [&](number) { ++*came; };
  const auto both = co_await troupe::select(me.receive(take), yield_for_ever(me, rounds));
  must(both.index() == 0);
}

}  // namespace

TEST_CASE("a receive beside a coroutine that always yields gets its message") {
  host h(1);
  const auto rounds = new_counter();
  const auto came = new_counter();
  const auto who = h->spawn(run_beside, rounds, came);
  CHECK(eventually([&] { return *rounds > 1000; }));
  h->spawn(
      [](self<troupe::protocol<>> me, ref<number> to) -> actor {
        co_await me.sleep(1ms);  // so that it is another run than the one it was spawned in
        const auto sent = co_await to.send<number>(1);
        must(sent.has_value());
      },
      who);
  CHECK(eventually([&] { return *came == 1; }));
  h.finish();
}

TEST_CASE("a receive in a select finds what is there only when the others have begun") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<number> me, book said) -> actor {
        must(me.me().try_send<number>(1).has_value());
        const auto take = [](number) {};
        const auto first = co_await troupe::select(me.receive(take), me.sleep(0s));
        said->add(first.index() == 1 ? "the time was over" : "a message");
      },
      log);
  CHECK(log->wait_for(1) == lines{"the time was over"});
  h.finish();
}

namespace {

void compute(std::chrono::microseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
  }
}
actor run_link(self<troupe::protocol<>> me, counter left) {
  compute(300us);
  if (--*left > 0) me.node().spawn(run_link, left);
  co_return;
}

}  // namespace

TEST_CASE("who waits for a turn has one beside a chain of births with long runs") {
  host h(1);
  const auto rounds = new_counter();
  const auto left = new_counter();
  *left = 1 << 30;
  h->spawn(
      [](self<troupe::protocol<>> me, counter all) -> actor {
        while (!me.stopping()) {
          ++*all;
          co_await me.yield();
        }
      },
      rounds);
  CHECK(eventually([&] { return *rounds > 10; }));
  h->spawn(run_link, left);
  CHECK(eventually([&] { return *left < 1 << 30; }));
  const int before = *rounds;
  CHECK(eventually([&] { return *rounds > before + 10; }));
  *left = 0;
  h.finish();
}

TEST_CASE("an order that has come goes before coroutines that can go on") {
  host h(1);
  const auto steps = new_counter();
  const auto held = std::make_shared<gate>();
  const auto goes_on = std::make_shared<gate>();
  const auto victim = h->spawn(
      [](self<troupe::protocol<>> me, counter all) -> actor {
        co_await me.sleep(1ms);
        ++*all;
      },
      steps);
  const auto hold = [](self<troupe::protocol<>>, std::shared_ptr<gate> holds,
                       std::shared_ptr<gate> end) -> actor {
    holds->open();
    end->wait();
    co_return;
  };
  h->spawn(hold, held, goes_on);
  CHECK(held->wait());
  const int before = *steps;  // the sleep was over sooner
  h->kill(victim);
  const auto later = std::chrono::steady_clock::now() + 5ms;  // the sleep is over, and the worker is held
  CHECK(eventually([&] { return std::chrono::steady_clock::now() > later; }));
  goes_on->open();
  h.finish();
  CHECK(*steps == before);
}
