// The watchdog names an actor that holds its worker, with one worker and with two.
#include "watchdog_kit.hpp"

#include "os/kernel_env.hpp"

using namespace test;

namespace {

struct tick {
  using reply = int;
};

struct work {};

using flag = std::shared_ptr<std::atomic<bool>>;

/// Counts the looks of the observer, the one thread beside the workers that reads the clock; and can say that a worker
/// waits for a processor all the time.
class observed_env : public troupe::detail::kernel_env {
 public:
  troupe::instant now() noexcept override {
    if (troupe::detail::current_worker == nullptr) looks.fetch_add(1);
    return kernel_env::now();
  }
  troupe::thread_times times_of(std::int32_t thread) noexcept override {
    const unsigned before = asked.fetch_add(1);
    if (!overloaded.load()) return kernel_env::times_of(thread);
    if (before % 2 == 0) return {{}, {}, true};  // it has not run since, and its wait is not over
    return {{}, kernel_env::now().time_since_epoch(), false};
  }
  std::atomic<unsigned> looks{0};
  std::atomic<unsigned> asked{0};
  std::atomic<bool> overloaded{false};
};

template <class F>
bool soon(F holds) {
  for (const stopwatch since; !holds();) {
    if (since.elapsed() > patience) return false;
  }
  return true;
}

struct deeds {
  observed_env world;
  std::atomic<int> done{0};
  std::atomic<bool> seen{false};

  /// Outlasts its slice: the observer has begun four looks, so two of them were whole ones.
  void add_slowly() {
    const unsigned before = world.looks.load();
    if (!seen.load()) must(soon([&] { return world.looks.load() >= before + 4; }));
    ++done;
  }
};
using shared_deeds = std::shared_ptr<deeds>;

void spin_until(const std::atomic<bool>& over) {
  while (!over.load(std::memory_order_relaxed)) continue;
}

}  // namespace

TEST_CASE("row 32: an actor that never yields is reported by the watchdog") {
  const unsigned workers = GENERATE(1u, 2u);
  alarm_lines alarms;
  host h(workers, named_node("n"));
  const auto over = std::make_shared<std::atomic<bool>>(false);
  h->spawn(
      named("pool", 0),
      [](self<tick> me, flag until) -> actor {
        me.spawn(
            named("hog", 1),
            [](self<tick> own, flag end) -> actor {
              co_await own.sleep(1ms);
              spin_until(*end);
            },
            until);
        co_await me.serve([](tick) { return 1; });
      },
      over);
  const lines found = alarms.wait_for(1);
  troupe::node_info seen;
  CHECK(soon([&] {  // the other worker may take its time to answer
    seen = h->inspect({.patience = 10ms});
    return seen.busy_workers.size() == 1;
  }));
  over->store(true);
  REQUIRE(found.size() == 1);
  INFO(found[0]);
  const std::string worker = std::to_string(workers - 1);
  CHECK(found[0].rfind("n: /n/pool/hog has held worker " + worker + " for ", 0) == 0);
  CHECK(found[0].find(" ms (last awaited at ") != std::string::npos);
  CHECK(found[0].find("held_watch_test.cpp:") != std::string::npos);
  CHECK(seen.alarms_total == 1);
  CHECK(seen.busy_workers == std::vector<unsigned>{workers - 1});
  CHECK(seen.holders == lines{"/n/pool/hog"});
  CHECK(seen.text().find("/n/pool/hog holds it") != std::string::npos);
  h.finish();
}

TEST_CASE("watchdog: each run that holds a worker is reported once, also after a rest of all workers") {
  alarm_lines alarms;
  troupe::node_options options = named_node("n");
  options.watchdog.held = 20ms;
  host h(2, options);
  std::vector<flag> over;
  for (int i = 0; i < 2; ++i) over.push_back(std::make_shared<std::atomic<bool>>(false));
  h->spawn(
      named("first", 1),
      [](self<tick> me, flag until) -> actor {
        (void)me;
        spin_until(*until);
        co_return;
      },
      over[0]);
  CHECK(alarms.wait_for(1).size() == 1);
  // It is looked at again and again while a timer of the other worker runs.
  const auto said = new_book();
  const auto timed = [](self<tick> me, book to) -> actor {
    co_await me.sleep(150ms);
    to->add("slept");
  };
  h->spawn(on_worker(0), timed, said);
  said->wait_for(1);
  CHECK(alarms.all().size() == 1);
  CHECK(alarms.all()[0].find("/n/first has held worker 1 for ") != std::string::npos);
  CHECK(alarms.all()[0].find("(it has not awaited anything yet)") != std::string::npos);
  over[0]->store(true);

  h->spawn(
      named("second", 1),
      [](self<tick> me, flag until) -> actor {
        co_await me.sleep(150ms);  // long enough for the observer to fall asleep
        spin_until(*until);
      },
      over[1]);
  const lines found = alarms.wait_for(2);
  over[1]->store(true);
  REQUIRE(found.size() == 2);
  CHECK(found[1].find("/n/second has held worker 1 for ") != std::string::npos);
  h.finish();
}

TEST_CASE("a slow handler ends its actor's run: the others of its worker have their turn") {
  const bool resumed = GENERATE(false, true);  // the handlers go on after a wait
  const bool watched = GENERATE(true, false);
  const auto all = std::make_shared<deeds>();
  troupe::node_options options = named_node("n");
  options.world = &all->world;
  if (!watched) options.watchdog = {.wait = {}, .held = {}};
  host h(1, options);
  const auto said = new_book();
  const auto echo = h->spawn([](self<tick> me) -> actor { co_await me.serve([](tick) { return 1; }); });
  h->spawn(
      [](self<work> me, ref<tick> to, shared_deeds slow, bool wait_first, book note) -> actor {
        const auto worker = me.spawn(
            [](self<work> mine, shared_deeds add, bool wait) -> actor {
              co_await mine.serve(troupe::interleave(64), [&](work) -> troupe::task<void> {
                if (wait) co_await mine.sleep(1ms);
                add->add_slowly();
              });
            },
            slow, wait_first);
        for (int i = 0; i < 64; ++i) must(worker.try_send<work>().has_value());
        while (slow->done.load() == 0) (void)co_await to.ask<tick>();  // it is in the run queue all the time
        note->add(slow->done.load() < 8 ? "in time" : "too late");
        slow->seen.store(true);
      },
      echo, all, resumed, said);
  CHECK(said->wait_for(1) == lines{"in time"});
  h.finish();
}

TEST_CASE("watchdog: a worker that only waits for a processor is not held") {
  alarm_lines alarms;
  const auto all = std::make_shared<deeds>();
  observed_env& world = all->world;
  world.overloaded.store(true);
  troupe::node_options options = named_node("n");
  options.world = &world;
  options.watchdog.held = 20ms;
  host h(1, options);
  const auto over = std::make_shared<std::atomic<bool>>(false);
  h->spawn(
      [](self<tick> me, flag until) -> actor {
        (void)me;
        spin_until(*until);
        co_return;
      },
      over);
  CHECK(
      soon([&] { return world.asked.load() >= 8; }));  // from the second time on it would have been reported
  CHECK(alarms.all().empty());
  world.overloaded.store(false);
  CHECK(alarms.wait_for(1).size() == 1);
  over->store(true);
  h.finish();
}

TEST_CASE("watchdog: an actor that blocks its thread holds its worker") {
  alarm_lines alarms;
  host h(1, named_node("n"));
  const auto held = std::make_shared<gate>();
  h->spawn(
      [](self<tick> me, shared_gate until) -> actor {
        (void)me;
        must(until->wait());
        co_return;
      },
      held);
  CHECK(alarms.wait_for(1).size() == 1);
  held->open();
  h.finish();
}

TEST_CASE("watchdog: busy workers whose actors yield, or get through many messages, are no alarm") {
  alarm_lines alarms;
  troupe::node_options options = named_node("n");
  options.watchdog.held = 300ms;
  host h(2, options);
  const auto over = std::make_shared<std::atomic<bool>>(false);
  for (unsigned i = 0; i < 4; ++i) {
    const auto answers =
        h->spawn(on_worker(i), [](self<tick> me) -> actor { co_await me.serve([](tick) { return 1; }); });
    h->spawn(
        on_worker(i + i / 2),
        [](self<tick> me, ref<tick> to, flag until) -> actor {
          (void)me;
          while (!until->load()) must(static_cast<bool>(co_await to.ask<tick>()));
        },
        answers, over);
  }
  const auto slow = h->spawn(on_worker(1), [](self<work> me) -> actor {
    co_await me.serve([](work) {
      for (const stopwatch since; since.elapsed() < 30ms;) continue;
    });
  });
  for (int i = 0; i < 48; ++i) REQUIRE(slow.try_send<work>().has_value());  // a second and a half
  const auto said = new_book();
  h->spawn(
      [](self<tick> me, book to) -> actor {
        co_await me.sleep(1200ms);
        to->add("slept");
      },
      said);
  said->wait_for(1);
  over->store(true);
  CHECK(alarms.all().empty());
  h.finish();
}
