// The watchdog names an actor that holds its worker, with one worker and with two.
#include "watchdog_kit.hpp"

using namespace test;

namespace {

struct tick {
  using reply = int;
};

struct work {};

using flag = std::shared_ptr<std::atomic<bool>>;

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
  const troupe::node_info seen = h->inspect({.patience = 10ms});
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

TEST_CASE("watchdog: busy workers whose actors yield, or get through many messages in a run, are no alarm") {
  alarm_lines alarms;
  troupe::node_options options = named_node("n");
  options.watchdog.held = 400ms;
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
      for (const stopwatch since; since.elapsed() < 15ms;) continue;
    });
  });
  for (int i = 0; i < 128; ++i) REQUIRE(slow.try_send<work>().has_value());  // two runs of a second each
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
