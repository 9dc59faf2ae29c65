#include "catch.hpp"

#include <memory>
#include <stdexcept>
#include <string>

#include <troupe/sleep.hpp>
#include <troupe/task.hpp>

#include "fake_env.hpp"
#include "strand_kit.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

/// Counts its copies that live.
struct tracked {
  static inline int alive = 0;
  tracked() { ++alive; }
  tracked(const tracked&) { ++alive; }
  tracked& operator=(const tracked&) = default;
  ~tracked() { --alive; }
};

task<int> one() { co_return 1; }
task<> sum_up(int count, std::int64_t* sum) {
  for (int i = 0; i < count; ++i) *sum += co_await one();
}

task<int> deep(int levels) {
  if (levels == 0) co_return 0;
  const int below = co_await deep(levels - 1);
  co_return below + 1;
}
task<> go_deep(int levels, int* reached) { *reached = co_await deep(levels); }

task<int> fails() {
  throw std::runtime_error("the innermost");
  co_return 0;
}
task<int> passes_on(int levels) {
  const tracked t;
  const int r = levels == 0 ? co_await fails() : co_await passes_on(levels - 1);
  co_return r;
}
task<> catches(std::string* caught) {
  try {
    co_await passes_on(50);
  } catch (const std::runtime_error& e) {
    *caught = e.what();
  }
  const int after = co_await one();
  *caught += std::to_string(after);
}
task<> lets_it_go() { co_await fails(); }

task<int> sleeps(int levels, tracked) {
  const tracked t;
  if (levels == 0) {
    co_await sleep_operation(1s);
    co_return 0;
  }
  tracked argument;
  co_return co_await sleeps(levels - 1, argument);
}
task<> holds(int levels) {
  tracked argument;
  co_await sleeps(levels, argument);
}

task<std::unique_ptr<int>> move_only(int value) { co_return std::make_unique<int>(value); }
struct no_default {
  explicit no_default(int v) : value(v) {}
  int value;
};
task<no_default> wrapped(int value) { co_return no_default(value); }
task<std::string> converts() { co_return "a literal"; }
task<> collects(std::string* all) {
  const auto pointer = co_await move_only(7);
  const auto object = co_await wrapped(8);
  const auto text = co_await converts();
  *all = std::to_string(*pointer) + " " + std::to_string(object.value) + " " + text;
}

task<> later(std::string* log, std::string name) {
  *log += name;
  co_return;
}
task<> in_another_order(std::string* log) {
  task<> first = later(log, "first ");
  task<> second = later(log, "second ");
  *log += "started ";
  co_await second;
  co_await first;
  task<> moved = later(log, "moved");
  task<> here = std::move(moved);
  co_await here;
}

struct stage : fake_machine {
  /// Plays `body` to its end, which needs no more than turns.
  void play(task<> body) {
    player p(worker, std::move(body));
    p.start();
    turns();
    CHECK(p.done);
    if (p.failure) std::rethrow_exception(p.failure);
  }
};

}  // namespace

TEST_CASE("a million awaits in a row use no stack", "[task]") {
  stage s;
  std::int64_t sum = 0;
  s.play(sum_up(1'000'000, &sum));
  CHECK(sum == 1'000'000);
}

TEST_CASE("tasks that await each other 300,000 deep use no stack", "[task]") {
  stage s;
  int reached = 0;
  s.play(go_deep(300'000, &reached));
  CHECK(reached == 300'000);
}

TEST_CASE("an exception goes from task to task until somebody catches it", "[task]") {
  stage s;
  std::string caught;
  s.play(catches(&caught));
  CHECK(caught == "the innermost1");
  CHECK(tracked::alive == 0);
  CHECK_THROWS_WITH(s.play(lets_it_go()), "the innermost");
}

TEST_CASE("a task returns what can be moved, made or converted", "[task]") {
  stage s;
  std::string all;
  s.play(collects(&all));
  CHECK(all == "7 8 a literal");
}

TEST_CASE("a task starts when it is awaited, not when it is made", "[task]") {
  stage s;
  std::string log;
  s.play(in_another_order(&log));
  CHECK(log == "started second first moved");
}

TEST_CASE("a task that is never awaited frees its frame and its arguments", "[task]") {
  const stage s;
  {
    task<> never = holds(1);
    const task<int> nor_this = sleeps(1, tracked());
    CHECK(tracked::alive == 1);
    never = holds(2);
  }
  CHECK(tracked::alive == 0);
}

TEST_CASE("destroying a suspended chain destroys every frame and what it waits for", "[task]") {
  stage s;
  player p(s.worker, holds(1000));
  p.start();
  s.turns();
  CHECK(tracked::alive > 3000);
  CHECK(s.worker.timers().size() == 1);
  p.kill();
  CHECK(tracked::alive == 0);
  CHECK(s.worker.timers().size() == 0);
}

TEST_CASE("a chain that slept returns all the way up", "[task]") {
  stage s;
  player p(s.worker, holds(1000));
  p.start();
  s.turns();
  s.pass(2s);
  CHECK(p.done);
  CHECK(p.runs == 2);
  CHECK(tracked::alive == 0);
}
