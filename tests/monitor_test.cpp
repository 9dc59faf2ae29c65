// Monitors: DOWN comes once, with the reason, after the last message.
#include "actor_support.hpp"

#include <stdexcept>
#include <thread>

using namespace test;

namespace {

struct ping {
  int number;
};
using watching = troupe::protocol<troupe::down, ping>;

std::string describe(const troupe::down& d) {
  return std::string(to_string(d.reason.kind)) + (d.reason.text.empty() ? "" : ": " + d.reason.text);
}

actor run_watcher(self<watching> me, ref<> whom, int times, book log) {
  for (int i = 0; i < times; ++i) me.monitor(whom);
  log->add("watching");
  co_await me.serve(
      [&](const troupe::down& d) { log->add(describe(d) + (d.actor == whom ? "" : " of somebody else")); },
      [](ping) {});
}

actor run_ends(self<ping> me) {
  co_await me.receive([](ping p) {
    if (p.number == 1) throw std::runtime_error("one is bad");
    if (p.number == 2) throw 2;
  });
}

}  // namespace

TEST_CASE("monitor and link of what could not be spawned: it is dead already") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<troupe::down> me, book out) -> actor {
        me.monitor(ref<>());
        (void)co_await me.receive(
            [&](const troupe::down& d) { out->add("down " + std::string(to_string(d.reason.kind))); });
        const auto tied = me.spawn([](self<troupe::protocol<>> child) -> actor {
          child.link(ref<>());
          co_await child.sleep(1h);
        });
        me.monitor(tied);
        (void)co_await me.receive([&](const troupe::down& d) {
          out->add("down " + std::string(to_string(d.reason.kind)) + ": " + d.reason.text);
        });
      },
      log);
  CHECK(log->wait_for(2) == lines{"down no such actor", "down linked: no such actor"});
  h.finish();
}

TEST_CASE("DOWN tells how the actor ended") {
  for (const unsigned workers : {1u, 2u}) {
    const std::vector<std::pair<int, std::string>> ways = {
        {0, "normal"},
        {1, "failed: one is bad"},
        {2, "failed: an exception that is no std::exception"},
        {-1, "stopped"},
        {-2, "killed"}};
    for (const auto& [how, expected] : ways) {
      host h(workers);
      const auto log = new_book();
      const auto target = h->spawn(on_worker(0), run_ends);
      h->spawn(on_worker(1), run_watcher, target, 1, log);
      REQUIRE(log->wait_for(1) == lines{"watching"});
      if (how >= 0) REQUIRE(target.try_send<ping>(how).has_value());
      if (how == -1) h->stop(target);
      if (how == -2) h->kill(target);
      CHECK(log->wait_for(2).back() == expected);
      h.finish();
    }
  }
}

TEST_CASE("row 33: monitoring an actor that is dead already gives DOWN at once, one for each monitor") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto target = h->spawn(on_worker(0), run_ends);
    h->kill(target);
    while (h->live_actors() > 1) std::this_thread::yield();
    h->spawn(on_worker(1), run_watcher, target, 3, log);
    CHECK(log->wait_for(4) == lines{"watching", "no such actor", "no such actor", "no such actor"});
    h.finish();
  }
}

TEST_CASE("DOWN comes after the dead actor's last message, even into a full mailbox") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    h->spawn(
        on_worker(0, 2),
        [](self<watching> me, book out) -> actor {
          const auto talker = me.spawn(
              on_worker(1),
              [](self<ping> t, ref<ping> to) -> actor {
                (void)t;
                for (int i = 1; i <= 50; ++i) co_await to.send<ping>(i);
              },
              me.me());
          me.monitor(talker);
          int last = 0;
          bool over = false;
          while (!over) {
            co_await me.receive(
                [&](const troupe::down&) {
                  out->add("down after " + std::to_string(last));
                  over = true;
                },
                [&](ping p) { last = p.number; });
          }
        },
        log);
    CHECK(log->wait_for(1) == lines{"down after 50"});
    h.finish();
  }
}

TEST_CASE("a watcher that ends first leaves no monitor behind") {
  host h(2);
  const auto log = new_book();
  const auto target = h->spawn(on_worker(0), run_ends);
  for (int i = 0; i < 100; ++i) {
    const auto watcher = h->spawn(on_worker(1), run_watcher, target, 2, log);
    REQUIRE(log->wait_for(static_cast<std::size_t>(i) + 1).size() == static_cast<std::size_t>(i) + 1);
    h->kill(watcher);
  }
  while (h->live_actors() > 2) std::this_thread::yield();
  h->stop(target);
  h.finish();
  CHECK(log->all() == lines(100, "watching"));
}

TEST_CASE("an actor may watch thousands that come and go, and itself") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<troupe::down> me, book out) -> actor {
        me.monitor(me.me());
        int downs = 0;
        for (int i = 0; i < 5000; ++i) {
          const auto child = me.spawn([](self<ping>) -> actor { co_return; });
          me.monitor(child);
          co_await me.receive(
              [&](const troupe::down& d) { downs += d.reason.kind == troupe::exit_kind::normal ? 1 : 0; });
        }
        out->add(std::to_string(downs));
      },
      log);
  CHECK(log->wait_for(1) == lines{"5000"});
  h.finish();
}

TEST_CASE("a ref to an actor that has ended never reaches the next one in its slot") {
  host h(1);
  const auto log = new_book();
  std::vector<ref<ping>> old;
  for (int i = 0; i < 50; ++i) {
    const auto a = h->spawn(on_worker(0), run_ends);
    h->kill(a);
    while (h->live_actors() > 1) std::this_thread::yield();
    old.push_back(a);
  }
  const auto fresh = h->spawn(
      on_worker(0),
      [](self<ping> me, book out) -> actor {
        co_await me.serve([&](ping p) { out->add(std::to_string(p.number)); });
      },
      log);
  for (const auto& a : old) {
    CHECK(a != fresh);
    CHECK(a.try_send<ping>(1).error() == errc::no_such_actor);
    h->kill(a);
    h->stop(a);
  }
  REQUIRE(fresh.try_send<ping>(2).has_value());
  CHECK(log->wait_for(1) == lines{"2"});
  h.finish();
}
