// ask: replies, deadlines, and every way in which there is no reply.
#include "actor_support.hpp"

#include <stdexcept>
#include <thread>

#include <troupe/when.hpp>

using namespace test;

namespace {

struct twice {
  using reply = std::int64_t;
  std::int64_t value;
};
struct greet {
  using reply = std::string;
  std::string name;
  tracked life = {};
};
struct touch {
  using reply = void;
};
struct fail {
  using reply = int;
};
struct ignore {
  using reply = tracked;
};
using service = troupe::protocol<twice, greet, touch, fail, ignore>;

actor run_service(self<service> me, book log) {
  co_await me.serve([](twice t) { return t.value + t.value; },
                    [](const greet& g) { return "hello " + g.name; }, [&](touch) { log->add("touched"); },
                    [](fail) -> int { throw std::runtime_error("no good"); },
                    [&](ignore) -> troupe::task<tracked> {
                      log->add("ignoring");
                      co_await me.sleep(1h);
                      co_return tracked();
                    });
}

template <class R>
std::string told(const result<R>& r) {
  return r ? "ok" : std::string(troupe::to_string(r.error().code));
}

struct go {};

}  // namespace

TEST_CASE("a request is answered with the handler's value") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto s = h->spawn(on_worker(0), run_service, log);
    h->spawn(
        on_worker(1),
        [](self<go> me, ref<service> to, book out) -> actor {
          (void)me;
          const auto four = co_await to.ask<twice>(2);
          const auto hello = co_await to.ask<greet>("you").within(10s);
          const auto done = co_await to.ask<touch>();
          out->add(four ? std::to_string(*four) : told(four));
          out->add(hello ? *hello : told(hello));
          out->add(told(done));
        },
        s, log);
    CHECK(log->wait_for(4) == lines{"touched", "4", "hello you", "ok"});
    h.finish();
  }
}

TEST_CASE("an ask ends with expired after the node's deadline or its own") {
  troupe::node_options options;
  options.ask_deadline = 20ms;
  host h(2, options);
  const auto log = new_book();
  const auto s = h->spawn(on_worker(0), run_service, log);
  h->spawn(
      on_worker(1),
      [](self<go> me, ref<service> to, book out) -> actor {
        (void)me;
        const auto by_default = co_await to.ask<ignore>();
        out->add(told(by_default));
      },
      s, log);
  CHECK(log->wait_for(2) == lines{"ignoring", "deadline passed"});
  const auto second = h->spawn(on_worker(1), run_service, log);
  h->spawn(
      on_worker(0),
      [](self<go> me, ref<service> to, book out) -> actor {
        (void)me;
        const auto by_own = co_await to.ask<ignore>().within(10ms);
        out->add(told(by_own));
        const auto at_once = co_await to.ask<twice>(1).within(0s);
        out->add(told(at_once));
      },
      second, log);
  CHECK(log->wait_for(5) ==
        lines{"ignoring", "deadline passed", "ignoring", "deadline passed", "deadline passed"});
  h.finish();  // in time: the handlers that ignored their requests were cancelled with them
}

TEST_CASE("an ask to an actor that is dead, ends or throws says which") {
  host h(2);
  const auto log = new_book();
  const auto killed = h->spawn(on_worker(0), run_service, log);
  const auto throws = h->spawn(on_worker(0), run_service, log);
  h->spawn(
      on_worker(1),
      [](self<go> me, ref<service> victim, ref<service> bad, book out) -> actor {
        (void)me;
        const auto lost = co_await victim.ask<ignore>();
        out->add(told(lost));
        const auto dead = co_await victim.ask<ignore>();
        out->add(told(dead));
        const auto thrown = co_await bad.ask<fail>();
        out->add(told(thrown));
        const auto nobody = co_await ref<service>().ask<touch>();
        out->add(told(nobody));
      },
      killed, throws, log);
  REQUIRE(log->wait_for(1) == lines{"ignoring"});
  h->kill(killed);
  CHECK(log->wait_for(5) ==
        lines{"ignoring", "no reply", "no such actor", "handler failed", "no such actor"});
  h.finish();
}

TEST_CASE("an ask that never finds room ends with mailbox full, and was not accepted") {
  host h(2);
  const auto log = new_book();
  const auto deaf = h->spawn(on_worker(0, 1), [](self<service> me) -> actor { co_await me.sleep(1h); });
  const auto fills = [](self<go> me, ref<service> to) -> actor {
    (void)me;
    (void)co_await to.ask<touch>().within(1h);
  };
  const auto filler = h->spawn(on_worker(0), fills, deaf);
  h->spawn(
      on_worker(0),
      [](self<go> me, ref<service> to, book out) -> actor {
        (void)me;
        const auto waits = co_await to.ask<touch>().within(10ms);
        out->add(told(waits));
      },
      deaf, log);
  CHECK(log->wait_for(1) == lines{"mailbox full"});
  CHECK(h->accounting().accepted_local == 1);
  h->kill(filler);
  h->kill(deaf);
  h.finish();
}

TEST_CASE("a request whose deadline has passed is not started") {
  host h(2);
  const auto log = new_book();
  const auto there = std::make_shared<gate>();
  const auto held = std::make_shared<gate>();
  const auto s = h->spawn(on_worker(0), run_service, log);
  h->spawn(
      on_worker(0),
      [](self<go>, shared_gate at, shared_gate until) -> actor {
        at->open();
        until->wait();
        co_return;
      },
      there, held);
  REQUIRE(there->wait());
  h->spawn(
      on_worker(1),
      [](self<go> me, ref<service> to, book out) -> actor {
        (void)me;
        const auto late = co_await to.ask<touch>().within(10ms);
        out->add(told(late));
      },
      s, log);
  CHECK(log->wait_for(1) == lines{"deadline passed"});
  held->open();
  const auto after = s.blocking_ask<twice>(patience, 1);
  CHECK(after.has_value());
  CHECK(log->all() == lines{"deadline passed"});
  CHECK(h->accounting().undelivered[static_cast<std::size_t>(errc::expired)] == 1);
  h.finish();
}

TEST_CASE("an ask of oneself does not wait for room") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      on_worker(0, 1),
      [](self<touch> me, book out) -> actor {
        const auto [first, second] =
            co_await troupe::when_all(me.me().ask<touch>().within(10ms), me.me().ask<touch>().within(10ms));
        out->add(told(first));
        out->add(told(second));
      },
      log);
  CHECK(log->wait_for(2) == lines{"deadline passed", "full"});
  h.finish();
}

TEST_CASE("a request in the mailbox of an actor that stops is answered with stopped") {
  host h(1);
  const auto log = new_book();
  const auto target = h->spawn(
      on_worker(0),
      [](self<touch> me, book out) -> actor {
        co_await me.sleep(5ms);
        me.stop();
        out->add("stops");
      },
      log);
  const auto never = target.blocking_ask<touch>(patience);
  CHECK(told(never) == "stopped");
  CHECK(log->wait_for(1) == lines{"stops"});
  h.finish();
}

TEST_CASE("a reply whose asker has gone is freed and counted") {
  host h(2);
  const auto log = new_book();
  const auto release = std::make_shared<gate>();
  // The target holds its worker; the asker and its parent, who counts it out, are on the other one.
  const auto target = h->spawn(
      on_worker(1),
      [](self<ignore> me, book out, shared_gate until) -> actor {
        (void)co_await me.receive([&](ignore) {
          out->add("asked");
          until->wait();
          return tracked();
        });
        out->add("answered");
        co_await me.serve([](ignore) { return tracked(); });
      },
      log, release);
  const auto asker = h->spawn(
      on_worker(0),
      [](self<go> me, ref<ignore> to) -> actor {
        (void)me;
        (void)co_await to.ask<ignore>();
      },
      target);
  REQUIRE(log->wait_for(1) == lines{"asked"});
  h->kill(asker);
  while (h->live_actors() > 2) std::this_thread::yield();
  release->open();
  REQUIRE(log->wait_for(2).size() == 2);
  CHECK(target.blocking_ask<ignore>(patience).has_value());
  h.finish();
  CHECK(h->accounting().replies_lost == 1);
}
