#include "catch.hpp"

#include <string>

#include <troupe/sleep.hpp>
#include <troupe/task.hpp>

#include "fake_env.hpp"
#include "strand_kit.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

task<> doze(duration d, std::string name, std::string* log) {
  co_await sleep_operation(d);
  *log += name;
}
task<> twice(duration d, std::string* log) {
  co_await doze(d, "a", log);
  co_await doze(d, "b", log);
}

}  // namespace

TEST_CASE("a sleeper wakes no earlier than asked, and a tick and a turn later at most", "[sleep]") {
  fake_machine machine;
  std::string log;
  player p(machine.worker, twice(10ms, &log));
  p.start();
  machine.turns(2);
  machine.pass(10ms - 1ns);
  CHECK(log.empty());
  machine.pass(66us);
  CHECK(log == "a");
  machine.pass(10ms - 1ns);
  CHECK(log == "a");
  machine.pass(66us);
  CHECK(log == "ab");
  CHECK(p.done);
}

TEST_CASE("sleepers wake in the order of their times", "[sleep]") {
  fake_machine machine;
  std::string log;
  player late(machine.worker, doze(30ms, "late ", &log));
  player early(machine.worker, doze(10ms, "early ", &log));
  player between(machine.worker, doze(20ms, "between ", &log));
  for (player* const p : {&late, &early, &between}) p->start();
  machine.turns();
  machine.pass(1s);
  CHECK(log == "early between late ");
}

TEST_CASE("no time is no sleep", "[sleep]") {
  fake_machine machine;
  std::string log;
  player none(machine.worker, doze(0ns, "none ", &log));
  player less(machine.worker, doze(-5s, "less", &log));
  none.start();
  less.start();
  machine.turns();
  CHECK(log == "none less");
  CHECK(machine.worker.timers().size() == 0);
}

TEST_CASE("a sleep for ever is one", "[sleep]") {
  fake_machine machine;
  std::string log;
  player p(machine.worker, doze(duration::max(), "never", &log));
  p.start();
  machine.turns();
  machine.pass(std::chrono::hours(24 * 365));
  CHECK(machine.worker.timers().size() == 1);
  CHECK(log.empty());
  machine.worker.turn(true);
  REQUIRE(machine.io.slept_until.has_value());
  CHECK(*machine.io.slept_until > machine.world.time);
}

TEST_CASE("a destroyed sleeper leaves no timer", "[sleep]") {
  fake_machine machine;
  std::string log;
  player p(machine.worker, doze(10ms, "x", &log));
  p.start();
  machine.turns();
  CHECK(machine.worker.timers().size() == 1);
  SECTION("while it sleeps") {
    p.kill();
    CHECK(machine.worker.timers().size() == 0);
    machine.pass(1s);
    CHECK(log.empty());
  }
  SECTION("between its timer and its run") {
    machine.world.time += 1s;
    machine.worker.timers().advance(machine.world.time);
    CHECK(p.has_ready());
    p.kill();
    CHECK_FALSE(p.has_ready());
    machine.turns();
    CHECK(log.empty());
  }
}
