#include "catch.hpp"

#include <string>
#include <vector>

#include <troupe/detail/strand.hpp>

#include "fake_env.hpp"
#include "strand_kit.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

/// Waits until the test completes it.
struct gate {
  detail::operation* waiting = nullptr;
  struct awaiter {
    gate& at;
    detail::operation wait;
    explicit awaiter(gate& g) : at(g) {}
    awaiter(const awaiter&) = delete;
    awaiter& operator=(const awaiter&) = delete;
    ~awaiter() {
      if (at.waiting == &wait) at.waiting = nullptr;
    }
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> h) {
      wait.suspend(h, "test", std::source_location::current());
      at.waiting = &wait;
    }
    void await_resume() const {}
  };
  awaiter operator co_await() { return awaiter(*this); }
  void open() { std::exchange(waiting, nullptr)->complete(); }
};

task<> pass(gate* first, gate* second, int* passed) {
  co_await *first;
  ++*passed;
  co_await *second;
  ++*passed;
}

/// A coroutine by itself, started in the strand that runs: a strand may have many.
struct detached {
  struct promise_type {
    detached get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
  std::coroutine_handle<> frame;
};
detached note(gate* at, std::string name, std::string* heard) {
  co_await *at;
  *heard += name;
}

/// A strand whose coroutines the test starts and destroys one by one.
struct crowd : detail::strand {
  explicit crowd(detail::worker& home) : strand(&crowd::run, home) {}
  ~crowd() {
    for (const auto& frame : frames) {
      if (frame) frame.destroy();
    }
    while (queued) home().turn(false);
  }
  static void run(runnable& self, detail::worker& on) noexcept {
    auto& c = static_cast<crowd&>(self);
    on.running = &c;
    ++c.runs;
    for (unsigned left = c.budget; left != 0 && c.has_ready(); --left) c.resume_next(c.home());
    if (c.has_ready()) on.schedule(c);
    on.running = nullptr;
  }
  void wait(gate& at, std::string name) {
    home().running = this;
    frames.push_back(note(&at, std::move(name), &heard).frame);
    home().running = nullptr;
  }
  unsigned budget = 64;
  unsigned runs = 0;
  std::string heard;
  std::vector<std::coroutine_handle<>> frames;
};

}  // namespace

TEST_CASE("a coroutine goes on in its strand's next run, never inside complete", "[strand]") {
  fake_machine machine;
  gate first;
  gate second;
  int passed = 0;
  player p(machine.worker, pass(&first, &second, &passed));
  p.start();
  machine.turns();
  REQUIRE(first.waiting != nullptr);
  CHECK(first.waiting->owner() == &p);
  first.open();
  CHECK(passed == 0);
  machine.turns();
  CHECK(passed == 1);
  second.open();
  machine.turns();
  CHECK(p.done);
  CHECK(p.runs == 3);
}

TEST_CASE("completed operations resume oldest first", "[strand]") {
  fake_machine machine;
  std::vector<gate> gates(5);
  crowd c(machine.worker);
  for (std::size_t i = 0; i < gates.size(); ++i) c.wait(gates[i], std::to_string(i));
  for (const std::size_t i : {3u, 0u, 4u, 1u, 2u}) gates[i].open();
  CHECK(c.heard.empty());
  SECTION("all at once") {
    machine.turns();
    CHECK(c.heard == "30412");
    CHECK(c.runs == 1);
  }
  SECTION("two a run") {
    c.budget = 2;
    machine.turns();  // the rest is scheduled again and again in the same turn
    CHECK(c.heard == "30412");
    CHECK(c.runs == 3);
  }
}

TEST_CASE("a destroyed coroutine's operation is gone, waiting or completed", "[strand]") {
  fake_machine machine;
  std::vector<gate> gates(5);
  crowd c(machine.worker);
  for (std::size_t i = 0; i < gates.size(); ++i) c.wait(gates[i], std::to_string(i));
  const auto kill = [&](std::size_t i) { std::exchange(c.frames[i], nullptr).destroy(); };
  for (const std::size_t i : {0u, 1u, 2u}) gates[i].open();
  kill(1);  // in the middle of the completed
  kill(3);  // first of the waiting
  kill(2);  // last of the completed
  CHECK(gates[3].waiting == nullptr);
  machine.turns();
  CHECK(c.heard == "0");
  gates[4].open();
  kill(4);  // the only one
  CHECK_FALSE(c.has_ready());
  machine.turns();
  CHECK(c.heard == "0");
}

TEST_CASE("a ticket finds its operation as long as that waits, and never another one", "[strand]") {
  fake_machine machine;
  std::vector<gate> gates(3);
  crowd c(machine.worker);
  for (gate& g : gates) c.wait(g, "x");
  const std::uint64_t tickets[] = {gates[0].waiting->ticket(), gates[1].waiting->ticket(),
                                   gates[2].waiting->ticket()};
  detail::operation* const second = gates[1].waiting;
  CHECK(c.find(tickets[1]) == second);
  gates[1].open();
  CHECK(c.find(tickets[1]) == nullptr);
  std::exchange(c.frames[0], nullptr).destroy();
  CHECK(c.find(tickets[0]) == nullptr);
  c.wait(gates[0], "y");
  CHECK(gates[0].waiting->ticket() != tickets[0]);
  CHECK(c.find(tickets[0]) == nullptr);
  CHECK(c.find(tickets[2]) == gates[2].waiting);
}

TEST_CASE("a strand knows whether it is at home", "[strand]") {
  fake_machine machine;
  crowd c(machine.worker);
  CHECK(c.at_home());
  CHECK(&c.home() == &machine.worker);
  detail::current_worker = nullptr;
  CHECK_FALSE(c.at_home());
  detail::current_worker = &machine.worker;
}
