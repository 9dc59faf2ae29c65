// receive and serve: which handler, when, and what becomes of exceptions.
#include "actor_support.hpp"

#include <stdexcept>

using namespace test;

namespace {

struct text {
  std::string value;
};
struct number {
  int value;
};
struct nap {
  std::string name;
};
struct add {
  using reply = int;
  int a;
  int b;
};
struct bad {
  using reply = int;
};
using mixed = troupe::protocol<text, number, nap, add, bad>;

actor run_sleeper(self<add> me) {
  co_await me.serve([](add a) { return a.a + a.b; });
}

/// Its handlers of nap and add are tasks that ask somebody else.
actor run_mixed(self<mixed> me, ref<add> adder, book log) {
  co_await me.serve([&](text t) { log->add("text " + t.value); },
                    [&](const number& n) { log->add("number " + std::to_string(n.value)); },
                    [&](nap n) -> troupe::task<> {
                      log->add("begin " + n.name);
                      co_await me.sleep(1ms);
                      (void)co_await adder.ask<add>(1, 2);
                      log->add("end " + n.name);
                    },
                    [&](add a) -> troupe::task<int> {
                      const auto sum = co_await adder.ask<add>(a.a, a.b);
                      co_return *sum;
                    },
                    [](bad) -> troupe::task<int> {
                      throw std::runtime_error("bad was asked");
                      co_return 0;
                    });
}

}  // namespace

TEST_CASE("each message reaches its handler, and the mailbox waits while a handler's task runs") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto adder = h->spawn(on_worker(0), run_sleeper);
    const auto m = h->spawn(on_worker(1), run_mixed, adder, log);
    REQUIRE(m.try_send<nap>("one").has_value());
    REQUIRE(m.try_send<text>("t").has_value());
    REQUIRE(m.try_send<nap>("two").has_value());
    REQUIRE(m.try_send<number>(5).has_value());
    const auto sum = m.blocking_ask<add>(patience, 3, 4);
    REQUIRE(sum.has_value());
    CHECK(*sum == 7);
    CHECK(log->all() == lines{"begin one", "end one", "text t", "begin two", "end two", "number 5"});
    h.finish();
  }
}

TEST_CASE("a handler's exception fails the asker, then the actor unless it is caught") {
  host h(1);
  const auto log = new_book();
  const auto adder = h->spawn(run_sleeper);
  const auto uncaught = h->spawn(run_mixed, adder, log);
  CHECK(uncaught.blocking_ask<bad>(patience).error() == errc::handler_failed);

  const auto careful = h->spawn(
      [](self<bad> me, book out) -> actor {
        for (;;) {
          try {
            const auto served = co_await me.serve([](bad) -> int { throw std::runtime_error("again"); });
            out->add(text_of(served));
            co_return;
          } catch (const std::exception& e) {
            out->add(e.what());
          }
        }
      },
      log);
  CHECK(careful.blocking_ask<bad>(patience).error() == errc::handler_failed);
  CHECK(careful.blocking_ask<bad>(patience).error() == errc::handler_failed);
  h->stop(careful);
  CHECK(log->wait_for(3) == lines{"again", "again", "stopped"});
  h.finish();
}

TEST_CASE("receive takes one message, and none once the actor is asked to stop") {
  host h(1);
  const auto log = new_book();
  const auto r = h->spawn(
      [](self<number> me, book out) -> actor {
        for (;;) {
          const auto took = co_await me.receive([&](number n) { out->add(std::to_string(n.value)); });
          out->add(text_of(took));
          if (!took) break;
        }
        const auto again = co_await me.receive([&](number n) { out->add(std::to_string(n.value)); });
        out->add("again " + text_of(again));
      },
      log);
  REQUIRE(r.try_send<number>(1).has_value());
  REQUIRE(r.try_send<number>(2).has_value());
  REQUIRE(log->wait_for(4) == lines{"1", "ok", "2", "ok"});
  h->stop(r);
  CHECK(log->wait_for(6) == lines{"1", "ok", "2", "ok", "stopped", "again stopped"});
  h.finish();
}

TEST_CASE("a message lives until its handler's task has ended") {
  struct whole {
    tracked life;
    std::string text;
  };
  host h(1);
  const auto log = new_book();
  const auto r = h->spawn(
      [](self<whole> me, book out) -> actor {
        co_await me.serve([&](const whole& w) -> troupe::task<> {
          co_await me.sleep(1ms);
          out->add(w.text + " " + std::to_string(tracked::alive.load()));
        });
      },
      log);
  tracked life;
  REQUIRE(r.try_send<whole>(life, "still here").has_value());
  CHECK(log->wait_for(1) == lines{"still here 2"});
  life.~tracked();
  h.finish();
  ::new (&life) tracked;
}

TEST_CASE("a second receive inside a handler is a programmer's error") {
  const death d = fate_of([] {
    host h(1);
    const auto r = h->spawn([](self<number> me) -> actor {
      co_await me.serve([&](number) -> troupe::task<> { co_await me.receive([](number) {}); });
    });
    (void)r.try_send<number>(1);
    while (h->live_actors() > 1) (void)h->accounting();
  });
  CHECK(d.aborted);
  CHECK(d.said.find("one receive or serve at a time") != std::string::npos);
}
