// node: starting, stopping, reading the books.
#include "actor_support.hpp"

#include <thread>

using namespace test;

namespace {

struct work {
  using reply = int;
  int value;
};

actor run_worker(self<work> me) {
  co_await me.serve([](work w) { return w.value + 1; });
}

}  // namespace

TEST_CASE("a node that cannot start says which value, and why") {
  troupe::node_options bad_name;
  bad_name.name = "a b";
  auto named = troupe::node::start(bad_name);
  REQUIRE_FALSE(named.has_value());
  CHECK(named.error().text.find("'a b'") != std::string::npos);

  troupe::node_options crowd;
  crowd.workers = 1000;
  auto crowded = troupe::node::start(crowd);
  REQUIRE_FALSE(crowded.has_value());
  CHECK(crowded.error().text.find("1000") != std::string::npos);

  troupe::node_options second_is_bad;
  second_is_bad.workers = 1;
  second_is_bad.listen = {"tcp://127.0.0.1:0", "udp://127.0.0.1:1"};
  auto listening = troupe::node::start(second_is_bad);
  REQUIRE_FALSE(listening.has_value());
  CHECK(listening.error().text.find("udp://127.0.0.1:1") != std::string::npos);
}

TEST_CASE("stop may be called again and from several threads") {
  host h(2);
  for (int i = 0; i < 100; ++i) h->spawn(run_worker);
  std::vector<std::thread> threads;
  std::atomic<int> in_time{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      if (h->stop()) in_time.fetch_add(1);
    });
  }
  for (auto& t : threads) t.join();
  CHECK(in_time.load() == 4);
  CHECK(h->stop());
  h.finish();
}

TEST_CASE("stop, kill and the books are harmless on a stopped node") {
  host h(2);
  const auto a = h->spawn(run_worker);
  CHECK(*a.blocking_ask<work>(patience, 1) == 2);
  CHECK(h->stop());
  h->stop(a);
  h->kill(a);
  h->kill(ref<>());
  h.finish();
}

TEST_CASE("a node may be destroyed without being stopped, and moved before") {
  const auto log = new_book();
  {
    auto started = troupe::node::start({.workers = 2});
    REQUIRE(started.has_value());
    troupe::node moved = std::move(*started);
    moved.spawn(
        [](self<work> me, book out) -> actor {
          const auto served = co_await me.serve([](work) { return 0; });
          out->add(text_of(served));
        },
        log);
  }
  CHECK(log->all() == lines{"stopped"});
}

TEST_CASE("two nodes in one process do not know each other's actors but may exchange refs") {
  host a(1);
  host b(2);
  const auto worker_of_a = a->spawn(run_worker);
  const auto worker_of_b = b->spawn(run_worker);
  CHECK(worker_of_a != worker_of_b);
  CHECK(*worker_of_a.blocking_ask<work>(patience, 1) == 2);
  CHECK(*worker_of_b.blocking_ask<work>(patience, 2) == 3);
  CHECK(a->live_actors() >= 2);
  a.finish();
  CHECK(*worker_of_b.blocking_ask<work>(patience, 3) == 4);
  b.finish();
}

TEST_CASE("the books may be read by several threads while the node works and stops") {
  host h(2);
  const auto a = h->spawn(run_worker);
  std::atomic<bool> over{false};
  std::vector<std::thread> readers;
  std::atomic<int> readings{0};
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!over.load()) {
        (void)h->accounting();
        readings.fetch_add(1);
      }
    });
  }
  for (int i = 0; i < 100; ++i) REQUIRE(a.blocking_ask<work>(patience, i).has_value());
  CHECK(h->stop());
  const int before = readings.load();
  while (readings.load() < before + 4) std::this_thread::yield();
  over.store(true);
  for (auto& r : readers) r.join();
  h.finish();
}

TEST_CASE("an actor of one node may send to an actor of another in the same process") {
  host a(1);
  host b(1);
  const auto log = new_book();
  const auto there = b->spawn(run_worker);
  a->spawn(
      [](self<work> me, ref<work> to, book out) -> actor {
        (void)me;
        const auto five = co_await to.ask<work>(4);
        out->add(five ? std::to_string(*five) : std::string(to_string(five.error().code)));
      },
      there, log);
  CHECK(log->wait_for(1) == lines{"5"});
  a.finish();
  b.finish();
}
