// What a worker looks at while it is awake, memory that others write without a word.
#include "catch.hpp"
#include "fake_env.hpp"

using namespace troupe;
using namespace troupe::test;
using detail::lookout;
using detail::runnable;
using detail::worker;

namespace {

/// Has what the test says, and schedules a run when it finds that.
struct watched : lookout {
  explicit watched(worker& w)
      : lookout([](lookout& l) noexcept { return static_cast<watched&>(l).look(); },
                [](lookout& l) noexcept { return static_cast<watched&>(l).fall_asleep(); }),
        on(w) {}
  bool look() {
    ++looks;
    if (has) on.schedule(run);
    return has;
  }
  bool fall_asleep() {
    ++sleeps;
    if (comes_late) on.schedule(run);
    return !comes_late;
  }
  struct counted_run : runnable {
    counted_run() : runnable([](runnable& r, worker&) noexcept { ++static_cast<counted_run&>(r).runs; }) {}
    unsigned runs = 0;
  };

  worker& on;
  counted_run run;
  bool has = false;
  bool comes_late = false;
  unsigned looks = 0;
  unsigned sleeps = 0;
};

/// A turn after which there is something to do.
void busy_turn(fake_machine& machine, watched::counted_run& other) {
  machine.worker.schedule(other);
  machine.worker.turn(false);
}

}  // namespace

TEST_CASE("lookout: a worker that is awake looks in each turn, and runs what it finds", "[worker]") {
  fake_machine machine;
  watched w(machine.worker);
  watched::counted_run other;
  machine.worker.look_at(w);
  machine.worker.look_at(w);  // once is enough
  for (unsigned turn = 1; turn <= 3; ++turn) {
    busy_turn(machine, other);
    CHECK(w.looks == turn);
  }
  w.has = true;
  busy_turn(machine, other);
  CHECK(w.run.runs == 1);
  CHECK_FALSE(w.listed);  // until it asks again
  busy_turn(machine, other);
  CHECK(w.looks == 4);
  CHECK(w.sleeps == 0);
}

TEST_CASE("lookout: before the worker sleeps all of them do, and news then keeps it awake", "[worker]") {
  fake_machine machine;
  watched quiet(machine.worker);
  watched late(machine.worker);
  machine.worker.look_at(quiet);
  machine.worker.turn(true);
  CHECK(quiet.sleeps == 1);
  CHECK(machine.io.slept_until == instant::max());

  machine.worker.look_at(quiet);
  machine.worker.look_at(late);
  late.comes_late = true;
  machine.worker.turn(true);
  CHECK(quiet.sleeps == 2);
  CHECK(late.sleeps == 1);
  CHECK_FALSE(machine.io.slept_until.has_value());
  CHECK_FALSE(quiet.listed);
  machine.worker.turn(true);
  CHECK(late.run.runs == 1);
  CHECK(machine.io.slept_until.has_value());
}

TEST_CASE("lookout: one where nothing comes for many turns sleeps while the worker is busy", "[worker]") {
  fake_machine machine;
  watched quiet(machine.worker);
  watched lively(machine.worker);
  watched::counted_run other;
  machine.worker.look_at(quiet);
  machine.worker.look_at(lively);
  for (unsigned turn = 0; turn < worker::most_looks_in_vain; ++turn) {
    CHECK(quiet.sleeps == 0);
    busy_turn(machine, other);
    machine.worker.look_at(lively);  // it has been of use
  }
  CHECK(quiet.sleeps == 1);
  CHECK_FALSE(quiet.listed);
  CHECK(lively.sleeps == 0);
  CHECK(lively.listed);
  lively.comes_late = true;
  for (unsigned turn = 0; turn < worker::most_looks_in_vain; ++turn) busy_turn(machine, other);
  CHECK(lively.run.runs == 1);
  CHECK_FALSE(lively.listed);
}

TEST_CASE("lookout: one that is forgotten is not looked at", "[worker]") {
  fake_machine machine;
  watched first(machine.worker);
  watched second(machine.worker);
  watched third(machine.worker);
  watched::counted_run other;
  for (watched* const w : {&first, &second, &third}) machine.worker.look_at(*w);
  machine.worker.forget(second);
  machine.worker.forget(second);
  busy_turn(machine, other);
  CHECK(first.looks == 1);
  CHECK(second.looks == 0);
  CHECK(third.looks == 1);
  machine.worker.forget(third);
  machine.worker.forget(first);
  busy_turn(machine, other);
  CHECK(first.looks + third.looks == 2);
}
