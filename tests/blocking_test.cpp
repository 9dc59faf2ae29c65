// blocking_send and blocking_ask: for threads that are no workers.
#include "actor_support.hpp"

#include <thread>

using namespace test;

namespace {

struct put {
  int number;
  tracked life = {};
};
struct sum {
  using reply = int;
};
struct never {
  using reply = tracked;
};
using adder = troupe::protocol<put, sum, never>;

actor run_adder(self<adder> me) {
  int total = 0;
  co_await me.serve([&](const put& p) { total += p.number; }, [&](sum) { return total; },
                    [&](never) -> troupe::task<tracked> {
                      co_await me.sleep(1h);
                      co_return tracked();
                    });
}

actor run_deaf(self<adder> me) { co_await me.sleep(1h); }

}  // namespace

TEST_CASE("threads send and ask as actors do, and wait for room") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto a = h->spawn(on_worker(0, 4), run_adder);
    std::atomic<int> refused{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int i = 1; i <= 100; ++i) {
          if (!a.blocking_send<put>(patience, i)) refused.fetch_add(1);
        }
      });
    }
    for (auto& t : threads) t.join();
    CHECK(refused.load() == 0);
    const auto total = a.blocking_ask<sum>(patience);
    REQUIRE(total.has_value());
    CHECK(*total == 3 * 5050);
    h.finish();
  }
}

TEST_CASE("a blocking call ends at its deadline") {
  host h(2);
  const auto deaf = h->spawn(on_worker(0, 1), run_deaf);
  REQUIRE(deaf.blocking_send<put>(patience, 1).has_value());
  CHECK(deaf.blocking_send<put>(10ms, 2).error() == errc::expired);
  CHECK(deaf.blocking_ask<sum>(10ms).error() == errc::mailbox_full);
  const auto a = h->spawn(on_worker(1), run_adder);
  CHECK(a.blocking_ask<never>(10ms).error() == errc::expired);
  h->kill(deaf);
  h->kill(a);
  h.finish();
  CHECK(h->accounting().accepted_local == 2);
}

TEST_CASE("a blocking send at its deadline is either accepted and says so, or never sent") {
  host h(2);
  const auto a = h->spawn(on_worker(0, 1), run_adder);
  int accepted = 0;
  for (int i = 0; i < 300; ++i) {
    const auto sent = a.blocking_send<put>(std::chrono::microseconds(i), 1);
    if (sent) ++accepted;
    if (!sent) CHECK(sent.error() == errc::expired);
  }
  const auto total = a.blocking_ask<sum>(patience);
  REQUIRE(total.has_value());
  CHECK(*total == accepted);
  h.finish();
}

TEST_CASE("blocking calls to nobody, to the dead and to a stopped node say so at once") {
  host h(1);
  const ref<adder> nobody;
  CHECK(nobody.blocking_send<put>(patience, 1).error() == errc::no_such_actor);
  CHECK(nobody.blocking_ask<sum>(patience).error() == errc::no_such_actor);
  const auto a = h->spawn(run_adder);
  h->kill(a);
  while (h->live_actors() > 1) std::this_thread::yield();
  CHECK(a.blocking_send<put>(patience, 1).error() == errc::no_such_actor);
  CHECK(a.blocking_ask<sum>(patience).error() == errc::no_such_actor);
  CHECK(h->stop());
  CHECK(a.blocking_send<put>(patience, 1).error() == errc::stopped);
  CHECK(a.blocking_ask<sum>(patience).error() == errc::stopped);
  h.finish();
}

TEST_CASE("blocking calls on a node at its limit of actors say full") {
  troupe::node_options options;
  options.most_actors = 2;  // its root, and one
  host h(1, options);
  const auto a = h->spawn(run_adder);
  REQUIRE(a);
  CHECK(a.blocking_send<put>(patience, 1).error() == errc::full);
  CHECK(a.blocking_ask<sum>(patience).error() == errc::full);
  h.finish();
}

TEST_CASE("blocking calls end with stopped when their node stops, and do not hold it up") {
  host h(2);
  const auto deaf = h->spawn(on_worker(0, 1), [](self<adder> me) -> actor {
    co_await me.serve([](const put&) {}, [](sum) { return 0; },
                      [&](never) -> troupe::task<tracked> {
                        while (!me.stopping()) co_await me.sleep(1ms);
                        co_return tracked();
                      });
  });
  errc asking = errc::ok;
  std::thread asker([&] {
    const auto answer = deaf.blocking_ask<never>(1h);
    asking = answer ? errc::ok : answer.error().code;
  });
  while (h->accounting().taken == 0) std::this_thread::yield();
  REQUIRE(deaf.blocking_send<put>(patience, 1).has_value());
  errc sending = errc::ok;
  std::thread sender([&] {
    const auto sent = deaf.blocking_send<put>(1h, 2);
    sending = sent ? errc::ok : sent.error().code;
  });
  while (h->live_actors() < 4) std::this_thread::yield();
  CHECK(h->stop(patience));
  asker.join();
  sender.join();
  CHECK(asking == errc::stopped);
  CHECK(sending == errc::stopped);
  h.finish();
}

TEST_CASE("a blocking call on a worker is a programmer's error") {
  const death d = fate_of([] {
    host h(1);
    const auto a = h->spawn(run_adder);
    const auto log = new_book();
    h->spawn(
        [](self<adder> me, ref<adder> to, book out) -> actor {
          (void)me;
          (void)to.blocking_ask<sum>(1s);
          out->add("went on");
          co_return;
        },
        a, log);
    log->wait_for(1);
  });
  CHECK(d.aborted);
  CHECK(d.said.find("for threads that are not workers") != std::string::npos);
}
