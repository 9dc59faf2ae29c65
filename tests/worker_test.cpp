#include "catch.hpp"

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <troupe/detail/worker.hpp>

#include "fake_env.hpp"

using namespace troupe;
using namespace troupe::test;
using detail::deferred;
using detail::runnable;
using detail::worker;

namespace {

/// Does what the test says when it runs.
struct chore : runnable {
  explicit chore(std::function<void(worker&)> w = [](worker&) {})
      : runnable([](runnable& r, worker& on) noexcept {
          auto& self = static_cast<chore&>(r);
          ++self.runs;
          self.what(on);
        }),
        what(std::move(w)) {}
  std::function<void(worker&)> what;
  unsigned runs = 0;
};
struct flush : deferred {
  explicit flush(std::function<void()> w)
      : deferred([](deferred& d) noexcept { static_cast<flush&>(d).what(); }), what(std::move(w)) {}
  std::function<void()> what;
};

}  // namespace

TEST_CASE("a worker runs what is scheduled in order, once however often it was asked", "[worker]") {
  fake_machine machine;
  std::string log;
  chore a([&](worker&) { log += 'a'; });
  chore b([&](worker& w) {
    log += 'b';
    w.schedule(a);
  });
  for (chore* const c : {&a, &b, &a, &b}) machine.worker.schedule(*c);
  machine.turns();
  CHECK(log == "aba");
  machine.turns();
  CHECK(log == "aba");
}

TEST_CASE("a turn runs at most its budget, so that I/O and timers get theirs", "[worker]") {
  fake_machine machine;
  chore endless([&](worker& w) { w.schedule(endless); });
  machine.worker.schedule(endless);
  for (unsigned turn = 1; turn <= 3; ++turn) {
    machine.worker.turn(true);
    CHECK(endless.runs == turn * worker::run_budget);
    CHECK_FALSE(machine.io.slept_until.has_value());
  }
  endless.what = [](worker&) {};
  machine.turns();
}

TEST_CASE("what is posted runs in order, however much it is, with current_worker set", "[worker]") {
  fake_machine machine;
  detail::current_worker = nullptr;  // as on another thread
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) {
    machine.worker.post([&, i](worker& w) {
      if (detail::current_worker == &w) order.push_back(i);
    });
  }
  CHECK(order.empty());
  machine.turns(1000 / worker::run_budget + 1);
  REQUIRE(order.size() == 1000);
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(detail::current_worker == nullptr);
  CHECK(machine.io.wakes == 0);  // it never slept
}

TEST_CASE("a posted function is freed whether it ran or not", "[worker]") {
  const auto token = std::make_shared<int>(1);
  fake_machine machine;
  machine.worker.post([token](worker&) {});
  CHECK(token.use_count() == 2);
  machine.turns();
  CHECK(token.use_count() == 1);
}

TEST_CASE("a worker sleeps only with nothing to do, and until its next timer", "[worker]") {
  fake_machine machine;
  machine.worker.turn(false);
  CHECK_FALSE(machine.io.slept_until.has_value());
  machine.worker.turn(true);
  CHECK(machine.io.slept_until == instant::max());

  struct : detail::timer {
    using timer::timer;
  } soon([](detail::timer&) noexcept {});
  machine.worker.timers().arm(soon, machine.world.time + 5ms);
  machine.worker.turn(true);
  REQUIRE(machine.io.slept_until.has_value());
  CHECK(*machine.io.slept_until <= machine.world.time + 5ms + 66us);
  machine.worker.timers().cancel(soon);

  chore c;
  machine.worker.post(c);
  machine.worker.turn(true);  // runs it, and sleeps in the same turn
  CHECK(c.runs == 1);
  CHECK(machine.io.slept_until.has_value());

  machine.worker.request_stop();
  machine.worker.turn(true);
  CHECK_FALSE(machine.io.slept_until.has_value());
}

TEST_CASE("what completes after a sleep sees the time of its end", "[worker]") {
  fake_machine machine;
  const instant before = machine.world.time;
  instant seen{};
  machine.io.in_turn = [&] {
    machine.world.time += 7s;  // it sleeps
    seen = machine.worker.now();
  };
  machine.worker.turn(true);
  CHECK(seen == before + 7s);
  CHECK(machine.worker.now() == before + 7s);
}

TEST_CASE("a post wakes a sleeping worker once, and one that is awake never", "[worker]") {
  fake_machine machine;
  chore a;
  chore b;
  machine.worker.post(a);
  CHECK(machine.io.wakes == 0);
  machine.io.in_turn = [&] {
    machine.worker.post(a);
    machine.worker.post(b);
  };
  machine.worker.turn(true);
  CHECK(machine.io.wakes == 1);
  machine.turns();
  CHECK(a.runs == 2);
  CHECK(b.runs == 1);
  machine.io.in_turn = [&] { machine.worker.post(b); };
  machine.worker.turn(false);
  CHECK(machine.io.wakes == 1);
  machine.turns();
  CHECK(b.runs == 2);
}

TEST_CASE("a post between the last look at the inbox and the sleep is not lost", "[worker]") {
  fake_machine machine;
  chore late;
  flush at_the_end([&] { machine.worker.post(late); });  // the last thing before the worker looks once more
  machine.worker.defer(at_the_end);
  machine.worker.turn(true);
  CHECK_FALSE(machine.io.slept_until.has_value());
  machine.turns();
  CHECK(late.runs == 1);
}

TEST_CASE("run ends on request and drains what was posted before", "[worker]") {
  fake_machine machine;
  unsigned left = 500;
  std::function<void(worker&)> again = [&](worker& w) {
    if (--left != 0) w.post(again);
  };
  machine.worker.post(again);
  machine.worker.request_stop();
  machine.worker.run();
  CHECK(left == 0);
}

TEST_CASE("deferred flushes run once a turn, in the order they were first asked for", "[worker]") {
  fake_machine machine;
  std::string log;
  flush a([&] { log += 'a'; });
  flush b([&] { log += 'b'; });
  chore asks([&](worker& w) {
    log += '.';
    w.defer(b);
    w.defer(a);
    w.defer(b);
  });
  chore asks_too([&](worker& w) {
    log += ',';
    w.defer(a);
  });
  machine.worker.schedule(asks);
  machine.worker.schedule(asks_too);
  machine.turns();
  CHECK(log == ".,ba");
  machine.turns();
  CHECK(log == ".,ba");
}

TEST_CASE("a flush waits while there is work, for 20 microseconds at most", "[worker]") {
  fake_machine machine;
  int flushed = 0;
  flush f([&] { ++flushed; });
  chore endless([&](worker& w) {
    w.schedule(endless);
    if (flushed == 0) w.defer(f);
  });
  machine.worker.schedule(endless);
  machine.turns();
  CHECK(flushed == 0);
  machine.pass(19us);
  CHECK(flushed == 0);
  machine.pass(1us);
  CHECK(flushed == 1);
  endless.what = [](worker&) {};
  machine.turns();
}

TEST_CASE("a flush that defers again runs in the next turn", "[worker]") {
  fake_machine machine;
  int flushed = 0;
  flush f([&] {
    if (++flushed < 3) machine.worker.defer(f);
  });
  machine.worker.defer(f);
  machine.worker.turn(true);
  CHECK(flushed == 1);
  CHECK_FALSE(machine.io.slept_until.has_value());
  machine.turns();
  CHECK(flushed == 2);
  machine.turns(2);
  CHECK(flushed == 3);
}

TEST_CASE("deferred flushes can be cancelled wherever they are", "[worker]") {
  fake_machine machine;
  std::string log;
  flush a([&] { log += 'a'; });
  flush b([&] { log += 'b'; });
  flush c([&] { log += 'c'; });
  for (flush* const f : {&a, &b, &c}) machine.worker.defer(*f);
  SECTION("the first") {
    machine.worker.cancel(a);
    machine.turns();
    CHECK(log == "bc");
  }
  SECTION("the middle one") {
    machine.worker.cancel(b);
    machine.turns();
    CHECK(log == "ac");
  }
  SECTION("the last, and another one is deferred after it") {
    machine.worker.cancel(c);
    machine.worker.cancel(c);
    flush d([&] { log += 'd'; });
    machine.worker.defer(d);
    machine.turns();
    CHECK(log == "abd");
  }
  SECTION("by one that runs, and deferred anew") {
    a.what = [&] {
      log += 'a';
      machine.worker.cancel(b);
      machine.worker.cancel(c);
      machine.worker.defer(c);
      machine.worker.defer(a);
      machine.worker.cancel(a);
    };
    machine.turns();
    CHECK(log == "a");
    machine.turns();
    CHECK(log == "ac");
  }
}

TEST_CASE("threads post while the worker is given turns, and nothing is lost or doubled", "[worker]") {
  fake_machine machine;
  constexpr int each = 20'000;
  constexpr int posters = 3;
  std::vector<int> last(posters, -1);
  int out_of_order = 0;
  int ran = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < posters; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        machine.worker.post([&, t, i](worker&) {
          const auto who = static_cast<std::size_t>(t);
          out_of_order += last[who] != i - 1;
          last[who] = i;
          ++ran;
        });
      }
    });
  }
  while (ran < each * posters) machine.worker.turn(true);  // the fake driver does not sleep
  for (std::thread& t : threads) t.join();
  CHECK(out_of_order == 0);
  machine.turns(2);
  CHECK(ran == each * posters);
}
