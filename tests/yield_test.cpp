// self.yield(): the others of the worker have their turn.
#include "actor_support.hpp"

using namespace test;

namespace {

struct go {};

actor run_polite(self<go> me, std::string name, book log) {
  (void)co_await me.receive([](go) {});
  for (int i = 1; i <= 3; ++i) {
    log->add(name + std::to_string(i));
    co_await me.yield();
  }
}

struct ping {
  using reply = int;
};
struct compute {
  int pieces;  // so many at a time are asked for
};
struct enough {};
using busy = troupe::protocol<compute, ping, enough>;

actor run_echo(self<ping> me) {
  co_await me.serve([](ping) { return 1; });
}

/// Each handler goes on and on: it yields, or it asks somebody of the same worker, who answers at once.
actor run_busy(self<busy> me, bool asks) {
  bool over = false;
  const auto echo = me.spawn(run_echo);
  const auto work = [&](compute) -> troupe::task<void> {
    while (!over) {
      if (asks) {
        (void)co_await echo.ask<ping>();
      } else {
        co_await me.yield();
      }
    }
  };
  const auto answer = [](ping) { return 2; };
  const auto end = [&](enough) { over = true; };
  co_await me.serve(troupe::interleave(200), work, answer, end);
}

}  // namespace

TEST_CASE("an actor whose handlers always have something to do takes messages all the same", "[yield]") {
  const bool asks = GENERATE(false, true);
  const int handlers = GENERATE(1, 64, 100);
  host h(1);
  const auto actor = h->spawn(run_busy, asks);
  for (int i = 0; i < handlers; ++i) must(actor.try_send<compute>(1).has_value());
  CHECK(actor.blocking_ask<ping>(patience).value() == 2);
  must(actor.try_send<enough>().has_value());
  CHECK(actor.blocking_ask<ping>(patience).value() == 2);  // it has been heard
  h.finish();
}

TEST_CASE("an actor that yields lets timers fire and threads be heard", "[yield]") {
  host h(1);
  const auto log = new_book();
  const auto echo = h->spawn(run_echo);
  h->spawn(
      [](self<troupe::protocol<>> me, book note) -> actor {
        bool fired = false;
        const auto wait = [&]() -> troupe::task<void> {
          co_await me.sleep(std::chrono::milliseconds(1));
          fired = true;
        };
        const auto spin = [&]() -> troupe::task<void> {
          while (!fired) co_await me.yield();
        };
        co_await troupe::when_all(wait(), spin());
        note->add("fired");
        while (!me.stopping()) co_await me.yield();
      },
      log);
  CHECK(log->wait_for(1) == lines{"fired"});
  CHECK(echo.blocking_ask<ping>(patience).value() == 1);
  h.finish();
}

TEST_CASE("actors that yield take turns on their worker", "[yield]") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<troupe::protocol<>> me, book note) -> actor {
        for (const char* name : {"a", "b"}) {
          const auto one = me.spawn(run_polite, std::string(name), note);
          (void)co_await one.send<go>();
        }
        co_await me.serve();
      },
      log);
  CHECK(log->wait_for(6) == lines{"a1", "b1", "a2", "b2", "a3", "b3"});
  h.finish();
}

TEST_CASE("an actor that yields to nobody goes on, and takes what comes meanwhile in its next run",
          "[yield]") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<go> me, book note) -> actor {
        co_await me.yield();
        must(me.me().try_send<go>().has_value());
        const auto first = co_await troupe::select(me.receive([](go) {}), me.yield());
        note->add("branch " + std::to_string(first.index()));
      },
      log);
  CHECK(log->wait_for(1) == lines{"branch 1"});
  h.finish();
}
