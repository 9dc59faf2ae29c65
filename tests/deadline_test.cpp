// The deadline of the work that an actor does, handler by handler, and of what waits for room (lane_ask_test.cpp: hop by hop).
#include "actor_support.hpp"

namespace deadline_wire {

struct step {  // answered with the milliseconds that were left
  using reply = std::int64_t;
  std::int32_t hops;
};
struct hold {
  using reply = void;
};

}  // namespace deadline_wire

using namespace test;
using deadline_wire::hold;
using deadline_wire::step;
using nothing = troupe::protocol<>;

namespace {

using relay = troupe::protocol<step, hold>;

std::int64_t left_ms(self<relay>& me) {
  const auto left = me.remaining();
  return left ? std::chrono::duration_cast<std::chrono::milliseconds>(*left).count() : -1;
}

}  // namespace

TEST_CASE("deadlines: a request that is held tells what it has left, and nothing inherits it") {
  host h(1);
  const auto log = new_book();
  const auto who = h->spawn(
      [](self<relay> me, book said) -> actor {
        auto request = co_await me.receive<step>();
        must(static_cast<bool>(request));
        const auto left = me.remaining(request->reply);
        said->add(left && *left > 50s && *left <= 60s ? "some" : "another");
        said->add(me.remaining() ? "inherited" : "its own");
        request->reply.reply(0);
        said->add(me.remaining(request->reply) ? "still" : "answered");
      },
      log);
  CHECK(who.blocking_ask<step>(60s, 0).has_value());
  CHECK(log->wait_for(3) == lines{"some", "its own", "answered"});
  h.finish();
}

TEST_CASE("deadlines: interleaved handlers have their own") {
  host h(1);
  const auto log = new_book();
  const auto who = h->spawn(
      [](self<relay> me, book said) -> actor {
        co_await me.serve(
            troupe::interleave(8),
            [&](step s) -> troupe::task<std::int64_t> {
              const auto before = left_ms(me);
              co_await me.sleep(1ms);
              const auto after = left_ms(me);
              said->add(before / 1000 == s.hops && after / 1000 == s.hops ? "own" : "another's");
              co_return after;
            },
            [](hold) {});
      },
      log);
  for (const int seconds : {100, 200, 300}) {
    h->spawn(
        [](self<nothing> me, ref<relay> to, int s) -> actor {
          (void)me;
          (void)co_await to.ask<step>(s).within(std::chrono::seconds(s) + 900ms);
        },
        who, seconds);
  }
  CHECK(log->wait_for(3) == lines{"own", "own", "own"});
  h.finish();
}

namespace {

struct parcel {
  tracked content = {};
};
struct open {};
using depot = troupe::protocol<parcel, open>;

}  // namespace

TEST_CASE("what waits for room and is given up leaves nothing behind in a full mailbox") {
  host h(2);
  for (const unsigned worker : {0u, 1u}) {
    const auto held = std::make_shared<gate>();
    const auto full = h->spawn(on_worker(0, 1), [](self<depot> me) -> actor {
      co_await me.receive<open>();
      co_await me.serve([](parcel) {}, [](open) {});
    });
    REQUIRE(full.try_send<parcel>().has_value());
    const auto log = new_book();
    h->spawn(
        on_worker(worker),
        [](self<nothing> me, ref<depot> to, book said) -> actor {
          int most = 0;
          for (int i = 0; i < 3000; ++i) {
            const auto sent = co_await to.send<parcel>().within(1us);
            if (sent) said->add("sent");
            most = std::max(most, tracked::alive.load());
          }
          (void)me;
          said->add(most < 1500 ? "few" : std::to_string(most));
        },
        full, log);
    CHECK(log->wait_for(1) == lines{"few"});
    h->kill(full);
  }
  h.finish();
}

TEST_CASE("a send waits as long as it was told to, or as the request allows that is being served") {
  host h(1);
  const auto full = h->spawn(on_worker(0, 1), [](self<depot> me) -> actor { co_await me.receive<open>(); });
  REQUIRE(full.try_send<parcel>().has_value());
  const auto log = new_book();
  h->spawn(
      [](self<nothing> me, ref<depot> to, book said) -> actor {
        (void)me;
        said->add(text_of(co_await to.send<parcel>().within(1ms)));
      },
      full, log);
  CHECK(log->wait_for(1) == lines{"deadline passed"});
  const auto server = h->spawn(
      [](self<hold> me, ref<depot> to, book said) -> actor {
        co_await me.serve([&](hold, troupe::replier<void> reply) -> troupe::task<> {
          said->add(text_of(co_await to.send<parcel>()));
          reply.reply();
        });
      },
      full, log);
  (void)server.blocking_ask<hold>(5ms);
  CHECK(log->wait_for(2).back() == "deadline passed");
  h.finish();
}
