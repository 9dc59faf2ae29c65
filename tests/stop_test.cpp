// Stop, kill and the order in which a family ends.
#include "actor_support.hpp"

#include <algorithm>
#include <thread>

using namespace test;

namespace {

struct job {
  int number;
  tracked life = {};
};
struct reply_please {
  using reply = int;
};
using both = troupe::protocol<job, reply_please>;

actor run_watched(self<troupe::down> me, ref<> whom, book log, shared_gate watching) {
  me.monitor(whom);
  watching->open();
  (void)co_await me.receive(
      [&](const troupe::down& d) { log->add("down " + std::string(to_string(d.reason.kind))); });
}

void watch(host& h, ref<> whom, const book& log, unsigned worker = 0) {
  const auto watching = std::make_shared<gate>();
  h->spawn(on_worker(worker), run_watched, whom, log, watching);
  REQUIRE(watching->wait());
}

/// A family of three generations that writes down how it ends.
actor run_family(self<both> me, std::string name, int depth, book log) {
  struct last_words {
    book out;
    std::string who;
    ~last_words() { out->add(who); }
  };
  const last_words words{log, name};
  if (depth > 0) {
    me.spawn(run_family, name + "1", depth - 1, log);
    me.spawn(run_family, name + "2", depth - 1, log);
  }
  log->add("born");
  co_await me.serve([](const job&) {}, [](reply_please) { return 0; });
}

enum class place { receive, serve, full_send, ask, handler, sleep, task, unstarted };

troupe::task<int> deep(const self<both>& me, int levels) {
  const tracked life;
  if (levels > 0) co_return co_await deep(me, levels - 1) + 1;
  co_await me.sleep(1h);
  co_return 0;
}

/// Waits for ever in one of the places where an actor can wait.
actor run_victim(self<both> me, place where, ref<both> deaf, book log) {
  const tracked life;
  if (log) log->add("there");
  switch (where) {
    case place::receive: co_await me.receive([](const job&) {}, [](reply_please) { return 0; }); break;
    case place::serve:
    case place::unstarted: co_await me.serve([](const job&) {}, [](reply_please) { return 0; }); break;
    case place::full_send:
      for (int i = 0;; ++i) co_await deaf.send<job>(i);
    case place::ask: (void)co_await deaf.ask<reply_please>().within(1h); break;
    case place::handler:
      (void)me.me().try_send<job>(1);
      co_await me.serve(
          [&](const job&) -> troupe::task<> {
            const tracked inner;
            (void)co_await deep(me, 3);
          },
          [](reply_please) { return 0; });
      break;
    case place::sleep: co_await me.sleep(1h); break;
    case place::task: (void)co_await deep(me, 5); break;
  }
}

actor run_deaf(self<both> me) { co_await me.sleep(1h); }

}  // namespace

TEST_CASE("an actor that is asked to stop finishes its handler, then serve returns and it may clean up") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto helper = h->spawn(on_worker(0), [](self<reply_please> me) -> actor {
      co_await me.serve([](reply_please) { return 7; });
    });
    const auto target = h->spawn(
        on_worker(1),
        [](self<job> me, ref<reply_please> to, book out) -> actor {
          const auto served = co_await me.serve([&](const job& j) {
            out->add("job " + std::to_string(j.number));
            if (j.number == 2) me.stop();
          });
          out->add(text_of(served));
          const auto seven = co_await to.ask<reply_please>();
          out->add("cleaned up " + std::to_string(*seven));
        },
        helper, log);
    watch(h, target, log);
    for (int i = 1; i <= 4; ++i) (void)target.try_send<job>(i);
    CHECK(log->wait_for(5) == lines{"job 1", "job 2", "stopped", "cleaned up 7", "down stopped"});
    h.finish();
    const auto books = h->accounting();
    CHECK(books.undelivered[static_cast<std::size_t>(errc::stopped)] + books.refused == 2);
  }
}

TEST_CASE("clean-up that takes too long ends at the deadline, and the node says so") {
  troupe::node_options options;
  options.stop_deadline = 500ms;  // so long that its turn comes before
  host h(1, options);
  const auto log = new_book();
  const auto slow = h->spawn(
      [](self<job> me, book out) -> actor {
        const tracked life;
        co_await me.serve([](const job&) {});
        out->add("cleaning");
        co_await me.sleep(1h);
        out->add("never");
      },
      log);
  watch(h, slow, log);
  h->stop(slow);
  CHECK(log->wait_for(2) == lines{"cleaning", "down killed"});
  CHECK(h->overdue().size() == 1);
  h.finish();  // in whose time nobody was killed
}

TEST_CASE("of a stop that is late, who was late is named, and not those whose turn came after the deadline") {
  host h(1);
  const auto clean = [](self<job> me, troupe::duration takes) -> actor {
    co_await me.serve([](const job&) {});
    co_await me.sleep(takes);
  };
  for (int i = 0; i < 100; ++i) h->spawn(clean, troupe::duration(1ms));
  troupe::spawn_options options;
  options.name = "late";
  h->spawn(options, clean, troupe::duration(1h));
  CHECK_FALSE(h->stop(500ms));
  const auto named = h->overdue();
  REQUIRE(named.size() == 1);
  CHECK(named[0].find("/late ") != std::string::npos);
  h.finish(false);
}

TEST_CASE("the destructors of an actor's locals may use its self, in whatever way it ends") {
  struct farewell {
    const self<job>& me;
    ref<job> to;
    ~farewell() {
      must(me.me() == me.me());
      must(static_cast<bool>(to.try_send<job>(1)));
    }
  };
  host h(1);
  const auto log = new_book();
  const auto listener = h->spawn(
      [](self<job> me, book out) -> actor { co_await me.serve([&](const job&) { out->add("farewell"); }); },
      log);
  const auto leaver = [](self<job> me, ref<job> to, bool fails, book out) -> actor {
    const farewell words{me, to};
    out->add("there");
    if (fails) throw std::runtime_error("at once");
    co_await me.serve([](const job&) {});
  };
  const auto stopped = h->spawn(leaver, listener, false, log);
  const auto killed = h->spawn(leaver, listener, false, log);
  REQUIRE(log->wait_for(2).size() == 2);
  h->stop(stopped);
  h->kill(killed);
  h->spawn(leaver, listener, true, log);
  const lines all = log->wait_for(6);
  CHECK(std::count(all.begin(), all.end(), "farewell") == 3);
  h.finish();
}

TEST_CASE(
    "an actor that misses the deadline is named with its ancestors, its mailbox and what it waits for") {
  for (const unsigned workers : {1u, 2u}) {
    troupe::node_options options;
    options.name = "front";
    host h(workers, options);
    const auto log = new_book();
    troupe::spawn_options pool = on_worker(1);
    pool.name = "pool";
    h->spawn(
        pool,
        [](self<job> me, book out) -> actor {
          troupe::spawn_options third = on_worker(0);
          third.name = "worker-3";
          const auto child = me.spawn(
              third,
              [](self<job> deaf, book o) -> actor {
                o->add("asleep");
                co_await deaf.sleep(1h);
              },
              out);
          for (int i = 0; i < 3; ++i) (void)co_await child.send<job>(i);
          out->add("sent");
          co_await me.serve([](const job&) {});
        },
        log);
    REQUIRE(log->wait_for(2).size() == 2);
    CHECK(h->overdue().empty());
    CHECK_FALSE(h->stop(500ms));
    const lines late = h->overdue();
    REQUIRE(late.size() == 1);
    CHECK(late[0].rfind(
              "/front/pool/worker-3 did not end by the deadline of its stop and is killed: 3 messages in "
              "its mailbox, sleep at ",
              0) == 0);
    CHECK(late[0].find("stop_test.cpp:") != std::string::npos);
    h.finish(false);
  }
}

TEST_CASE("a family ends in reverse order of birth, a parent's frame before its children's") {
  host h(1);
  const auto log = new_book();
  const auto top = h->spawn(run_family, "a", 2, log);
  REQUIRE(log->wait_for(7) == lines(7, "born"));
  watch(h, top, log);
  h->stop(top);
  const lines all = log->wait_for(15);
  CHECK(lines(all.begin() + 7, all.end()) ==
        lines{"a", "a2", "a22", "a21", "a1", "a12", "a11", "down stopped"});
  h.finish();
}

TEST_CASE("killing a parent kills its children before anybody hears of its end") {
  host h(2);
  const auto log = new_book();
  const auto top = h->spawn(on_worker(1), run_family, "a", 1, log);
  REQUIRE(log->wait_for(3) == lines(3, "born"));
  watch(h, top, log, 0);
  h->kill(top);
  const lines all = log->wait_for(7);
  CHECK(lines(all.begin() + 3, all.end()) == lines{"a", "a2", "a1", "down killed"});
  h.finish();
}

TEST_CASE("a sooner stop reaches the children of an actor that has ended already") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<job> me, book out) -> actor {
        me.spawn(
            [](self<job> child, book o) -> actor {
              co_await child.serve([](const job&) {});
              o->add("cleaning");
              co_await child.sleep(1h);
            },
            out);
        co_await me.sleep(1ms);
      },
      log);
  REQUIRE(log->wait_for(1) == lines{"cleaning"});
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(h->stop(500ms));
  CHECK(std::chrono::steady_clock::now() - begin < 4s);
  h.finish(false);
}

TEST_CASE("a killed actor is destroyed wherever it waits") {
  for (const unsigned workers : {1u, 2u}) {
    for (const place where : {place::receive, place::serve, place::full_send, place::ask, place::handler,
                              place::sleep, place::task}) {
      host h(workers);
      const auto log = new_book();
      const auto deaf = h->spawn(on_worker(0, 1), run_deaf);
      const auto victim = h->spawn(on_worker(1), run_victim, where, deaf, log);
      REQUIRE(log->wait_for(1) == lines{"there"});
      watch(h, victim, log, 1);
      h->kill(victim);
      CHECK(log->wait_for(2).back() == "down killed");
      h->kill(deaf);
      while (h->live_actors() > 1) std::this_thread::yield();
      h.finish();
    }
  }
}

TEST_CASE("messages in the mailbox of an actor that ends become dead letters, and a sample is kept") {
  host h(1);
  const auto target = h->spawn([](self<job> me) -> actor { co_await me.sleep(1h); });
  for (int i = 0; i < 100; ++i) REQUIRE(target.try_send<job>(i).has_value());
  h->kill(target);
  while (h->live_actors() > 1) std::this_thread::yield();
  CHECK(h->accounting().undelivered[static_cast<std::size_t>(errc::no_such_actor)] == 100);
  const auto letters = h->dead_letters();
  CHECK(letters.size() == 64);
  for (const auto& l : letters) CHECK(l.reason == errc::no_such_actor);
  h.finish();
}

TEST_CASE("children of the node end in reverse order of their spawning, whatever worker they live on") {
  for (int round = 0; round < 50; ++round) {
    host h(2);
    const auto log = new_book();
    lines expected;
    for (unsigned i = 0; i < 20; ++i) {
      const auto name = std::to_string(i);
      expected.insert(expected.begin(), name);
      const auto spawn = [&] { h->spawn(on_worker(i * 7 / 3), run_family, name, 0, log); };
      if (i % 3 == 0) {
        std::thread(spawn).join();
      } else {
        spawn();
      }
    }
    CHECK(h->stop());
    const lines all = log->all();
    lines ends;
    for (const auto& line : all) {
      if (line != "born") ends.push_back(line);
    }
    REQUIRE(ends == expected);
    h.finish();
  }
}
