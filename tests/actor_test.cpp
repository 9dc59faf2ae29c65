// Actors as coroutines: functions and lambdas, their locals, how they end.
#include "actor_support.hpp"

#include <stdexcept>
#include <thread>

using namespace test;

namespace {

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

actor run_account(self<account> me, std::int64_t cents) {
  const tracked life;
  co_await me.serve([&](deposit d) { cents += d.cents; }, [&](balance) { return cents; });
}

struct in_frame {
  explicit in_frame(book o) : out(std::move(o)) { out->add("made"); }
  in_frame(const in_frame&) = delete;
  in_frame& operator=(const in_frame&) = delete;
  ~in_frame() { out->add("gone"); }
  book out;
};

}  // namespace

TEST_CASE("an actor's locals are its state") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto first = h->spawn(run_account, 100);
    const auto second = h->spawn(&run_account, 1);
    for (int i = 0; i < 10; ++i) REQUIRE(first.try_send<deposit>(5).has_value());
    CHECK(*first.blocking_ask<balance>(patience) == 150);
    CHECK(*second.blocking_ask<balance>(patience) == 1);
    h.finish();
  }
}

TEST_CASE("an actor's frame is destroyed when it returns, throws or is killed before it ran") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<deposit>, book out) -> actor {
        const in_frame f(out);
        co_return;
      },
      log);
  REQUIRE(log->wait_for(2) == lines{"made", "gone"});
  h->spawn(
      [](self<deposit>, book out) -> actor {
        const in_frame f(out);
        throw std::runtime_error("thrown");
        co_return;
      },
      log);
  REQUIRE(log->wait_for(4) == lines{"made", "gone", "made", "gone"});
  h->spawn(
      [](self<deposit> me, book out) -> actor {
        const auto child = me.spawn(
            [](self<deposit>, tracked, book o) -> actor {
              o->add("never");
              co_return;
            },
            tracked(), out);
        me.node().kill(child);
        out->add("killed");
        co_return;
      },
      log);
  REQUIRE(log->wait_for(5).size() == 5);
  while (h->live_actors() > 1) std::this_thread::yield();
  CHECK(log->all().back() == "killed");
  h.finish();
}

TEST_CASE("a hundred thousand actors are born, answer and end") {
  host h(2);
  const auto log = new_book();
  h->spawn(
      [](self<deposit> me, book out) -> actor {
        std::int64_t sum = 0;
        for (int round = 0; round < 100; ++round) {
          std::vector<ref<account>> all;
          for (int i = 0; i < 1000; ++i) all.push_back(me.spawn(run_account, i));
          for (const auto& a : all) {
            const auto cents = co_await a.ask<balance>();
            sum += *cents;
            me.node().kill(a);
          }
        }
        out->add(std::to_string(sum));
      },
      log);
  CHECK(log->wait_for(1) == lines{"49950000"});
  h.finish();
}
