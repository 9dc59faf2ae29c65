// A worker with too much to do hands actors that have not started to one that has nothing.
#include "actor_support.hpp"

#include <atomic>
#include <set>
#include <thread>

using namespace test;

namespace {

struct done {
  std::uint64_t worker;
  int number;
};
struct order {
  int number;
};

void compute_for(std::chrono::nanoseconds d) {
  const auto end = std::chrono::steady_clock::now() + d;
  while (std::chrono::steady_clock::now() < end) {
  }
}

std::uint64_t this_worker() { return troupe::detail::current_worker->index(); }

actor run_job(self<order> me, ref<done> to) {
  compute_for(1ms);
  for (int next = 0; next < 3;) {
    int got = -1;
    const auto took = co_await me.receive([&](order o) { got = o.number; });
    if (!took) co_return;
    must(got == next);  // sent before it moved, and after
    ++next;
  }
  co_await to.send<done>(this_worker(), 0);
}

/// Spawns jobs and sends each of them three orders: at once, when it may be on its way, and when it has started.
actor run_boss(self<done> me, int jobs, book log) {
  std::vector<ref<order>> all;
  for (int i = 0; i < jobs; ++i) {
    all.push_back(me.spawn(run_job, me.me()));
    must(all.back().try_send<order>(0).has_value());
  }
  co_await me.yield();
  for (const auto& job : all) co_await job.send<order>(1);
  co_await me.yield();
  for (const auto& job : all) co_await job.send<order>(2);
  std::set<std::uint64_t> workers;
  for (int i = 0; i < jobs; ++i) {
    (void)co_await me.receive([&](done d) { workers.insert(d.worker); });
  }
  log->add(std::to_string(workers.size()) + " workers");
}

}  // namespace

TEST_CASE("jobs that one actor spawns are done by all workers, and each gets its messages in order",
          "[spread]") {
  host h(2);
  const auto log = new_book();
  for (int round = 1; round <= 20; ++round) {
    h->spawn(run_boss, 40, log);
    const lines said = log->wait_for(static_cast<std::size_t>(round));
    REQUIRE(said.size() == static_cast<std::size_t>(round));
    if (said.back() == "2 workers") break;  // on a busy machine the other worker may be late
    CHECK(round < 20);
  }
  h.finish();
}

TEST_CASE("slots of actors that moved are used again where they were spawned", "[spread]") {
  host h(2);
  const auto log = new_book();
  for (int round = 1; round <= 10; ++round) {
    h->spawn(run_boss, 40, log);
    REQUIRE(log->wait_for(static_cast<std::size_t>(round)).size() == static_cast<std::size_t>(round));
  }
  h.finish();
  const auto books = h->accounting();
  CHECK(books.balanced());
}

TEST_CASE("actors that move are killed, monitored and stopped like others", "[spread]") {
  host h(2);
  const auto log = new_book();
  h->spawn(
      [](self<troupe::down> me, book note) -> actor {
        std::vector<ref<order>> all;
        for (int i = 0; i < 40; ++i) {
          all.push_back(me.spawn([](self<order> mine) -> actor {
            compute_for(1ms);
            co_await mine.serve([&](order) { mine.stop(); });
          }));
          me.monitor(all.back());
        }
        for (const auto& one : all) co_await one.send<order>(1);
        int ended = 0;
        for (int i = 0; i < 40; ++i) {
          (void)co_await me.receive([&](const troupe::down& d) {
            if (d.reason.kind == troupe::exit_kind::stopped) ++ended;
          });
        }
        note->add(std::to_string(ended) + " stopped");
      },
      log);
  CHECK(log->wait_for(1) == lines{"40 stopped"});
  h.finish();
}

TEST_CASE("an actor that has started stays where it is, wherever it was spawned from", "[spread]") {
  host h(2);
  const auto log = new_book();
  constexpr int actors = 300;
  for (int i = 0; i < actors; ++i) {
    h->spawn(
        [](self<troupe::protocol<>> me, book note) -> actor {
          const std::uint64_t before = this_worker();
          compute_for(250us);
          for (int round = 0; round < 3; ++round) {
            co_await me.sleep(1ms);
            must(this_worker() == before);  // its timers are there
          }
          note->add("done");
        },
        log);
  }
  CHECK(log->wait_for(actors).size() == actors);
  h.finish();
}
