// Two threads send an actor letters, one of them an order, by express; its home worker runs it when it was posted, and
// sleeps when there is nothing to run. The run that obeys the order ends the coroutine, and looks at nothing more.
#include "explorer/models.hpp"

#include <array>
#include <memory>
#include <utility>

#include <troupe/detail/intake.hpp>
#include <troupe/detail/sleep_gate.hpp>

using namespace troupe::explorer;
using troupe::detail::intake, troupe::detail::letter, troupe::detail::sleep_gate;

namespace {

constexpr int letters = 3;

struct numbered : letter {
  numbered() : letter(troupe::detail::letter_kind::message) {}
  plain<int> number;
};

struct actor_model {
  intake<1> in;  // a glance at every letter
  sleep_gate gate;
  atomic<int> inbox{0};  // posts; for the concurrentqueue: a release to an acquire, and no more
  event posted;
  std::array<numbered, letters> sent;

  // Any thread, as actor_core::push and worker::post.
  void send(int number, bool by_express) {
    numbered& l = sent[static_cast<std::size_t>(number)];
    l.number.set(number);
    if (!in.push(l, by_express)) return;
    inbox.fetch_add(1, order::release);
    if (gate.after_post()) posted.signal();
  }

  // Home worker, as worker::turn and actor_core::run.
  bool scheduled = false;
  bool ordered = false;  // and not obeyed yet
  int taken = 0;         // of the inbox
  int sorted = 0;
  std::array<bool, letters> seen{};

  void drain_inbox() {
    const int there = inbox.load(order::acquire);
    if (std::exchange(taken, there) != there) scheduled = true;
  }
  void run_actor() {
    const auto sort = [this](letter* l) {
      const auto number = static_cast<std::size_t>(static_cast<numbered*>(l)->number.get());
      require(!std::exchange(seen[number], true), "a letter comes twice");
      if (number == 1) require(seen[0], "letters of one sender out of order");
      if (number == 2) ordered = scheduled = true;
      ++sorted;
    };
    scheduled = false;
    in.express(sort);
    if (!std::exchange(ordered, false)) in.look(sort);
    in.each([](const letter& l) {
      require(static_cast<const numbered&>(l).number.get() < letters, "what is no letter");
    });
    if (in.has_unsorted()) scheduled = true;
  }
  void turns() {
    while (sorted != letters) {
      gate.awake();
      drain_inbox();
      if (scheduled) run_actor();
      if (scheduled || sorted == letters) continue;
      gate.before_last_look();
      drain_inbox();
      if (!scheduled) posted.wait();
    }
    require(in.empty(), "a letter is left");
  }
};

void program_of(run& r) {
  const auto m = std::make_shared<actor_model>();
  r.thread([=] {
    m->send(0, false);
    m->send(1, false);
  });
  r.thread([=] { m->send(2, true); });
  r.thread([=] { m->turns(); });
}

}  // namespace

TEST_CASE("models: an actor that other threads send letters is run until it has sorted them all") {
  check_model("inlet.hpp", {.ordered = 3, .needed = 3}, program_of, {.preemptions = 2, .stale_loads = 2});
}

TEST_CASE("models: no actor is posted to a worker that sleeps for ever") {
  check_model("sleep_gate.hpp", {.ordered = 2, .needed = 2}, program_of,
              {.preemptions = 2, .stale_loads = 2});
}
