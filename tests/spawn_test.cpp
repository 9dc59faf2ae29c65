// Spawning: limits, arguments, where an actor lives, kinds on the own node.
#include "actor_support.hpp"

#include <thread>

namespace spawn_test {

struct configuration {
  std::string name;
  std::vector<int> numbers;
};
struct what {
  using reply = std::string;
};

troupe::actor run_configured(troupe::self<what> me, configuration c, double factor) {
  co_await me.serve([&](what) {
    int sum = 0;
    for (const int n : c.numbers) sum += n;
    return c.name + " " + std::to_string(static_cast<int>(sum * factor));
  });
}

inline constexpr troupe::kind<run_configured> configured{"test.configured"};

}  // namespace spawn_test

using namespace test;
using spawn_test::what;

namespace {

struct throws_when_copied {
  throws_when_copied() = default;
  throws_when_copied(const throws_when_copied&) { throw std::runtime_error("no copy"); }
};

actor run_takes(self<what> me, throws_when_copied) {
  co_await me.serve([](what) { return std::string(); });
}
actor run_idle(self<what> me) {
  co_await me.serve([](what) { return std::string(); });
}
actor run_counted(self<what> me, tracked, std::unique_ptr<int> owned, tracked named) {
  (void)named;
  co_await me.serve([&](what) { return std::to_string(*owned); });
}

}  // namespace

TEST_CASE("an actor gets its start arguments by value") {
  host h(2);
  spawn_test::configuration c{"sum", {1, 2, 3}};
  const auto copied = h->spawn(spawn_test::run_configured, c, 2);
  const auto given = h->spawn(spawn_test::run_configured, troupe::give(c), 3.5);
  const auto made = h->spawn(spawn_test::run_configured,
                             troupe::make<spawn_test::configuration>("made", std::vector<int>{4}), 1);
  CHECK(*copied.blocking_ask<what>(patience) == "sum 12");
  CHECK(*given.blocking_ask<what>(patience) == "sum 21");
  CHECK(*made.blocking_ask<what>(patience) == "made 4");
  CHECK(c.name.empty());
  tracked named;
  const auto counted = h->spawn(run_counted, tracked(), std::make_unique<int>(9), named);
  CHECK(*counted.blocking_ask<what>(patience) == "9");
  CHECK(h->stop());
  CHECK(tracked::alive.load() == 1);
}

TEST_CASE("an argument that cannot be made gives the slot back") {
  host h(1);
  const throws_when_copied bad;
  for (int i = 0; i < 10; ++i) CHECK_THROWS_WITH(h->spawn(run_takes, bad), "no copy");
  CHECK(h->live_actors() == 1);
  h.finish();
}

TEST_CASE("at the limit of actors spawn gives nobody, and works again when one has ended") {
  troupe::node_options options;
  options.most_actors = 3;
  host h(2, options);
  const auto log = new_book();
  const auto first = h->spawn(on_worker(0), run_idle);
  const auto second = h->spawn(on_worker(1), run_idle);
  REQUIRE(first);
  REQUIRE(second);
  CHECK_FALSE(h->spawn(run_idle));
  h->kill(first);
  while (h->live_actors() > 2) std::this_thread::yield();
  CHECK(h->spawn(
      on_worker(1),
      [](self<what> me, book out) -> actor {
        out->add(me.spawn(run_idle) ? "born" : "nobody");
        co_return;
      },
      log));
  CHECK(log->wait_for(1) == lines{"nobody"});
  h.finish();
}

TEST_CASE("spawning on a stopped node gives nobody") {
  host h(1);
  CHECK(h->stop());
  CHECK_FALSE(h->spawn(run_idle));
  h.finish();
}

TEST_CASE("threads that spawn while the node stops get nobody or an actor that is ended in order") {
  for (int round = 0; round < 20; ++round) {
    host h(2);
    std::atomic<bool> over{false};
    std::atomic<int> born{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        while (!over.load()) {
          if (h->spawn(run_counted, tracked(), std::make_unique<int>(1), tracked())) born.fetch_add(1);
        }
      });
    }
    while (born.load() < 50) std::this_thread::yield();
    CHECK(h->stop());
    over.store(true);
    for (auto& t : threads) t.join();
    h.finish();
  }
}

TEST_CASE("a kind may take an aggregate, and is spawned by name on the own node") {
  troupe::node_options options;
  options.name = "self";
  host h(1, options);
  const auto log = new_book();
  REQUIRE(h->offer(spawn_test::configured).has_value());
  CHECK(h->offer(spawn_test::configured).error() == errc::name_taken);
  h->spawn(
      [](self<what> me, book out) -> actor {
        spawn_test::configuration c{"far", {5}};
        const auto there = co_await me.node().spawn_on("self", spawn_test::configured, troupe::give(c), 2);
        const auto nowhere = co_await me.node().spawn_on("other", spawn_test::configured, c, 2);
        out->add(std::string(to_string(nowhere.error().code)));
        if (!there) {
          out->add(std::string(to_string(there.error().code)));
          co_return;
        }
        const auto said = co_await there->ask<what>();
        out->add(*said);
      },
      log);
  CHECK(log->wait_for(2) == lines{"not found", "far 10"});
  h.finish();
}
