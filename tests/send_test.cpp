// send and try_send within a node.
#include "actor_support.hpp"

#include <thread>

using namespace test;

namespace {

struct letter {
  std::string text;
  tracked life = {};
};

actor run_reader(self<letter> me, book log) {
  co_await me.serve([&](const letter& l) { log->add(l.text); });
}

actor run_talks_to_itself(self<letter> me, book log) {
  for (int i = 0; i < 3; ++i) {
    const auto sent = co_await me.me().send<letter>("to me");
    log->add(text_of(sent));
  }
  (void)co_await me.receive([&](const letter& l) { log->add(l.text); });
}

actor run_sends_to(self<troupe::protocol<>> me, ref<letter> to, book log) {
  (void)me;
  std::string text = "dear";
  const auto sent = co_await to.send<letter>(troupe::give(text));
  log->add(text_of(sent));
}

actor run_returns(self<letter>) { co_return; }

}  // namespace

TEST_CASE("what is sent is received") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto reader = h->spawn(run_reader, log);
    h->spawn(run_sends_to, reader, log);
    CHECK(log->wait_for(2).size() == 2);
    REQUIRE(reader.try_send<letter>("from outside").has_value());
    CHECK(log->wait_for(3).back() == "from outside");
    h.finish();
  }
}

TEST_CASE("a new actor accepts messages at once, from any thread and in a slot that was used before") {
  host h(2);
  for (int round = 0; round < 200; ++round) {
    const auto log = new_book();
    const auto reader = h->spawn(on_worker(static_cast<unsigned>(round)), run_reader, log);
    REQUIRE(text_of(reader.try_send<letter>("first")) == "ok");
    REQUIRE(log->wait_for(1) == lines{"first"});
    h->stop(reader);
  }
  h.finish();
}

TEST_CASE("a message for an actor that is about to start on another worker waits for it") {
  host h(2);
  const auto log = new_book();
  h->spawn(
      on_worker(0),
      [](self<troupe::protocol<>> me, book out) -> actor {
        for (int i = 0; i < 500; ++i) {
          const auto reader = me.spawn(on_worker(1, 1), run_reader, out);
          (void)co_await reader.send<letter>("one");
          (void)co_await reader.send<letter>("two");
        }
        out->add("end");
        co_await me.serve();
      },
      log);
  CHECK(log->wait_for(1001).size() == 1001);
  h.finish();
}

TEST_CASE("a send to oneself never waits: it says full") {
  host h(1);
  const auto log = new_book();
  h->spawn(on_worker(0, 2), run_talks_to_itself, log);
  CHECK(log->wait_for(4) == lines{"ok", "ok", "full", "to me"});
  h.finish();
}

TEST_CASE("a refused try_send leaves its arguments as they were") {
  host h(1);
  const auto held = std::make_shared<gate>();
  const auto there = std::make_shared<gate>();
  const auto busy = h->spawn(
      on_worker(0, 1),
      [](self<letter> me, shared_gate at, shared_gate until) -> actor {
        at->open();
        until->wait();
        (void)co_await me.receive([](const letter&) {});
      },
      there, held);
  REQUIRE(there->wait());
  REQUIRE(busy.try_send<letter>("fills it").has_value());
  std::string text(100, 'x');
  CHECK(busy.try_send<letter>(std::move(text)).error() == errc::full);
  CHECK(text == std::string(100, 'x'));
  CHECK(busy.try_send<letter>(troupe::give(text)).error() == errc::full);
  CHECK(text == std::string(100, 'x'));
  held->open();
  h.finish();
}

TEST_CASE("a send to nobody or to an actor that has ended says so") {
  host h(1);
  const auto log = new_book();
  const ref<letter> nobody;
  CHECK(nobody.try_send<letter>("x").error() == errc::no_such_actor);
  const auto gone = h->spawn(run_returns);
  while (h->live_actors() > 1) std::this_thread::yield();
  CHECK(gone.try_send<letter>("x").error() == errc::no_such_actor);
  h->spawn(run_sends_to, gone, log);
  h->spawn(run_sends_to, nobody, log);
  CHECK(log->wait_for(2) == lines(2, "no such actor"));
  h.finish();
}

TEST_CASE("a send that waits ends with stopped or no such actor when its target does") {
  for (const bool kill : {false, true}) {
    host h(2);
    const auto log = new_book();
    const auto deaf = h->spawn(on_worker(0, 1), [](self<letter> me) -> actor { co_await me.sleep(1h); });
    REQUIRE(deaf.try_send<letter>("fills it").has_value());
    h->spawn(on_worker(0), run_sends_to, deaf, log);
    h->spawn(on_worker(1), run_sends_to, deaf, log);
    kill ? h->kill(deaf) : h->stop(deaf);
    const lines all = log->wait_for(2);
    REQUIRE(all.size() == 2);
    for (const auto& line : all) CHECK((line == "stopped" || line == "no such actor"));
    CHECK(h->stop(500ms) == kill);
    h.finish(kill);
  }
}

TEST_CASE("threads that hammer try_send while the node stops lose nothing and break nothing") {
  for (int round = 0; round < 10; ++round) {
    host h(2);
    const auto log = new_book();
    std::vector<ref<letter>> readers;
    for (unsigned i = 0; i < 4; ++i) {
      readers.push_back(h->spawn(on_worker(i, 16),
                                 [](self<letter> me) -> actor { co_await me.serve([](const letter&) {}); }));
    }
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (unsigned n = t; !over.load(); ++n) (void)readers[n % 4].try_send<letter>("x");
      });
    }
    while (h->accounting().taken < 100) std::this_thread::yield();
    CHECK(h->stop());
    over.store(true);
    for (auto& t : threads) t.join();
    CHECK(h->accounting().balanced());
    CHECK(readers[0].try_send<letter>("x").error() == errc::no_such_actor);
  }
  CHECK(tracked::alive.load() == 0);
}
