#include "catch.hpp"

#include <atomic>
#include <future>
#include <set>
#include <thread>
#include <vector>

#include "fake_env.hpp"
#include "io_driver_kit.hpp"
#include "scheduler.hpp"

using namespace troupe;
using troupe::detail::scheduler;
using troupe::detail::worker;

namespace {

std::unique_ptr<scheduler> on_kernel(unsigned workers, io_backend io) {
  auto made = scheduler::create(os_env(), {workers, io});
  REQUIRE(made.has_value());
  return std::move(*made);
}

/// Two workers hand a counter to and fro; whoever has it is the only one with anything to do.
struct ping_pong {
  scheduler& between;
  int left;
  std::promise<void> over;

  void hop(unsigned to) {
    between.at(to).post([this, to](worker&) {
      if (--left == 0) return over.set_value();
      hop(1 - to);
    });
  }
};

}  // namespace

TEST_CASE("a scheduler has a worker per processor, or as many as asked for", "[scheduler]") {
  test::fake_env world;
  auto by_default = scheduler::create(world, {});
  REQUIRE(by_default.has_value());
  CHECK((*by_default)->size() == 3);
  CHECK((*by_default)->io_note() == "fake");
  auto five = scheduler::create(world, {5, io_backend::automatic});
  REQUIRE(five.has_value());
  REQUIRE((*five)->size() == 5);
  for (unsigned i = 0; i < 5; ++i) CHECK((*five)->at(i).index() == i);
}

TEST_CASE("too many workers are refused with the limit", "[scheduler]") {
  test::fake_env world;
  const auto made = scheduler::create(world, {256, io_backend::automatic});
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error().text == "workers: 256 is over the limit; use 1 to 255");
}

TEST_CASE("each worker runs on a thread of its own, over the backend asked for", "[scheduler]") {
  const io_backend io = GENERATE(from_range(test::backends()));
  const auto s = on_kernel(3, io);
  CHECK(s->backend() == io);
  CHECK_FALSE(s->io_note().empty());
  s->start();
  std::set<std::thread::id> threads{std::this_thread::get_id()};
  for (unsigned i = 0; i < s->size(); ++i) {
    std::promise<std::thread::id> thread;
    s->at(i).post([&](worker&) { thread.set_value(std::this_thread::get_id()); });
    threads.insert(thread.get_future().get());
  }
  CHECK(threads.size() == 4);
  s->stop();
  s->stop();
}

TEST_CASE("what was posted before stop runs, also when it goes from worker to worker", "[scheduler]") {
  for (int round = 0; round < 20; ++round) {
    const auto s = on_kernel(2, io_backend::automatic);
    s->start();
    ping_pong game{*s, 1000, {}};
    auto over = game.over.get_future();
    game.hop(0);
    s->stop();
    CHECK(over.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
  }
}

TEST_CASE("no wake-up is lost between two workers that park after every post", "[scheduler]") {
  const io_backend io = GENERATE(from_range(test::backends()));
  const auto s = on_kernel(2, io);
  s->start();
  ping_pong game{*s, 100'000, {}};
  auto over = game.over.get_future();
  game.hop(0);
  CHECK(over.wait_for(std::chrono::seconds(50)) == std::future_status::ready);
  s->stop();
}

TEST_CASE("no wake-up is lost between a worker and another thread", "[scheduler]") {
  const io_backend io = GENERATE(from_range(test::backends()));
  const auto s = on_kernel(1, io);
  s->start();
  std::atomic<int> answered{0};
  int asked = 0;
  for (; asked < 20'000; ++asked) {
    s->at(0).post([&](worker&) {
      answered.fetch_add(1);
      answered.notify_one();
    });
    // Sometimes into its going to sleep, sometimes into its sleep.
    if (asked % 3 != 0) answered.wait(asked);
  }
  std::promise<void> last;
  s->at(0).post([&](worker&) { last.set_value(); });
  CHECK(last.get_future().wait_for(std::chrono::seconds(50)) == std::future_status::ready);
  CHECK(answered == asked);
}
