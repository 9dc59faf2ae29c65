// Receiving beyond serve: selective receive, a receive with a time limit, interleaved handlers, repliers, classes
// as actors.
#include "actor_support.hpp"

#include <stdexcept>

#include <troupe/class_actor.hpp>
#include <troupe/when.hpp>

using namespace test;

namespace {

struct text {
  std::string value;
};
struct number {
  int value;
};
struct ask_number {
  using reply = int;
};
struct go {};
using mail = troupe::protocol<text, number, ask_number, go>;

/// Takes what `plan` does; the rest of the mailbox stays.
template <class Plan>
ref<mail> spawn_with(host& h, Plan, book log, unsigned worker = 0) {
  return h->spawn(on_worker(worker), [](self<mail> me, book to) -> actor { co_await Plan()(me, *to); }, log);
}

}  // namespace

TEST_CASE("receive<M> takes the first of its type and leaves the others in order") {
  for (const unsigned worker : {0u, 1u}) {
    host h(2);
    const auto log = new_book();
    const auto who = spawn_with(
        h,
        [](self<mail>& me, notes& said) -> troupe::task<> {
          auto started = co_await me.receive<go>();
          must(started.has_value());
          for (int i = 0; i < 3; ++i) {
            auto n = co_await me.receive<number>();
            said.add(n ? std::to_string(n->value) : "none");
          }
          auto late = co_await me.receive<number>().within(1ms);
          said.add(std::string(to_string(late.error().code)));
          for (int i = 0; i < 3; ++i) {
            auto t = co_await me.receive<text>();
            said.add(t ? t->value : "none");
          }
        },
        log, worker);
    for (int i = 1; i <= 3; ++i) {
      REQUIRE(who.try_send<text>("t" + std::to_string(i)).has_value());
      REQUIRE(who.try_send<number>(i).has_value());
    }
    REQUIRE(who.try_send<go>().has_value());
    CHECK(log->wait_for(7) == lines{"1", "2", "3", "deadline passed", "t1", "t2", "t3"});
    h.finish();
  }
}

TEST_CASE("a selective receive sees what comes while it waits, behind a long queue of others") {
  host h(2);
  const auto log = new_book();
  const auto who = spawn_with(
      h,
      [](self<mail>& me, notes& said) -> troupe::task<> {
        long sum = 0;
        for (int i = 0; i < 500; ++i) {
          auto n = co_await me.receive<number>();
          sum += n->value;
        }
        said.add(std::to_string(sum));
        int texts = 0;
        while (auto t = co_await me.receive<text>().within(0ms)) ++texts;
        said.add(std::to_string(texts));
      },
      log, 1);
  for (int i = 0; i < 500; ++i) {
    REQUIRE(who.try_send<text>("x").has_value());
    REQUIRE(who.blocking_send<number>(patience, i).has_value());
  }
  CHECK(log->wait_for(2) == lines{"124750", "500"});
  h.finish();
}

TEST_CASE("a receive without time finds all that is there, however many runs and slices that takes") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<troupe::protocol<>> me, book until) -> actor {  // whose turn it is between two runs
        while (until->all().size() < 3) {
          const auto over = std::chrono::steady_clock::now() + 3ms;
          while (std::chrono::steady_clock::now() < over) {
          }
          co_await me.yield();
        }
      },
      log);
  spawn_with(
      h,
      [](self<mail>& me, notes& said) -> troupe::task<> {
        const auto to_me = me.me();
        constexpr int each = 80;
        for (int i = 0; i < each; ++i) {
          must(to_me.try_send<number>(i).has_value());
          must(to_me.try_send<text>("x").has_value());
        }
        const auto compute = [] {
          const auto until = std::chrono::steady_clock::now() + 300us;
          while (std::chrono::steady_clock::now() < until) {
          }
        };
        int texts = 0;
        while (auto t = co_await me.receive<text>().within(0ms)) {
          ++texts;
          compute();
        }
        said.add(std::to_string(texts));
        int numbers = 0;
        const auto take_number = [&](number) { ++numbers; };
        const auto ignore = [](const auto&) {};
        const auto answer = [](ask_number) { return 0; };
        for (;;) {
          const auto got = co_await me.receive(take_number, answer, ignore).within(0ms);
          if (!got) break;
          compute();
        }
        said.add(std::to_string(numbers));
        const auto none = co_await me.receive<text>().within(0ms);
        said.add(none ? "one" : "none");
      },
      log, 0);
  CHECK(log->wait_for(3) == lines{"80", "80", "none"});
  h.finish();
}

TEST_CASE("a selective receive that loses a select takes nothing, or puts back what it had") {
  host h(1);
  const auto log = new_book();
  const auto who = spawn_with(
      h,
      [](self<mail>& me, notes& said) -> troupe::task<> {
        int won = 0;
        for (int round = 0; round < 2000; ++round) {
          (void)me.send_after<number>(50us, me.me(), round);  // both end in about the same turn
          auto first = co_await troupe::select(me.sleep(50us), me.receive<number>());
          if (first.index() == 0) {
            const auto late = co_await me.receive<number>();
            must(late && late->value == round);
          } else {
            ++won;
            must(std::get<1>(first)->value == round);
          }
        }
        auto none = co_await troupe::select(me.receive<number>().within(1ms), me.sleep(1h));
        must(none.index() == 0 && !std::get<0>(none));
        said.add(won < 2000 ? "done" : "never lost");
      },
      log);
  (void)who;
  CHECK(log->wait_for(1) == lines{"done"});
  h.finish();
}

TEST_CASE("receive<M> of a request gives the message and its replier") {
  host h(1);
  const auto log = new_book();
  const auto who = spawn_with(
      h,
      [](self<mail>& me, notes&) -> troupe::task<> {
        auto first = co_await me.receive<ask_number>();
        auto second = co_await me.receive<ask_number>();
        second->reply.reply(2);
        first->reply.reply(1);
        auto third = co_await me.receive<ask_number>();
        must(third->reply.wanted());
      },
      log);
  for (const char* const name : {"a", "b"}) {
    h->spawn(
        [](self<go> me, ref<mail> to, book said, std::string n) -> actor {
          (void)me;
          const auto answer = co_await to.ask<ask_number>().within(patience);
          said->add(n + (answer ? std::to_string(*answer) : std::string(to_string(answer.error().code))));
        },
        who, log, std::string(name));
  }
  auto said = log->wait_for(2);
  std::ranges::sort(said);
  CHECK(said == lines{"a1", "b2"});
  CHECK(who.blocking_ask<ask_number>(patience).error() == errc::no_reply);
  h.finish();
}

TEST_CASE("a receive with a time limit ends with expired, or takes what comes in time and finishes with it") {
  host h(1);
  const auto log = new_book();
  const auto who = h->spawn(
      [](self<number> me, book said) -> actor {
        const auto nothing = co_await me.receive([&](number) {}).within(1ms);
        said->add("nothing " + text_of(nothing));
        const auto plain =
            co_await me.receive([&](number n) { said->add(std::to_string(n.value)); }).within(patience);
        said->add("plain " + text_of(plain));
        // The message is there, and its handler takes longer than a message may let itself be waited for.
        const auto slow = co_await me
                              .receive([&](number n) -> troupe::task<> {
                                co_await me.sleep(60ms);
                                said->add(std::to_string(n.value));
                              })
                              .within(50ms);
        said->add("slow " + text_of(slow));
        const auto stopped = co_await me.receive([](number) {}).within(patience);
        said->add("stop " + text_of(stopped));
      },
      log);
  CHECK(log->wait_for(1) == lines{"nothing deadline passed"});
  REQUIRE(who.try_send<number>(1).has_value());
  REQUIRE(who.try_send<number>(2).has_value());
  REQUIRE(log->wait_for(5).back() == "slow ok");
  h->stop(who);
  CHECK(log->wait_for(6) ==
        lines{"nothing deadline passed", "1", "plain ok", "2", "slow ok", "stop stopped"});
  h.finish();
}

TEST_CASE("interleaved handlers wait side by side, at most as many as was said, and start in order") {
  host h(1);
  const auto log = new_book();
  struct step {
    using reply = int;
    int number;
  };
  using steps = troupe::protocol<step, go>;
  struct count {
    int now = 0;
    int most = 0;
  };
  const auto tally = std::make_shared<count>();
  const auto gate_keeper = h->spawn([](self<ask_number> me) -> actor {
    std::vector<troupe::replier<int>> waiting;
    co_await me.serve([&](ask_number, troupe::replier<int> reply) {
      waiting.push_back(std::move(reply));
      if (waiting.size() < 3) return;
      for (auto& w : waiting) w.reply(7);
      waiting.clear();
    });
  });
  const auto who = h->spawn(
      [](self<steps> me, ref<ask_number> keeper, std::shared_ptr<count> c, book said) -> actor {
        const auto ended = co_await me.serve(
            troupe::interleave(3),
            [&](step s) -> troupe::task<int> {
              said->add("begin " + std::to_string(s.number));
              c->most = std::max(c->most, ++c->now);
              const auto opened = co_await keeper.ask<ask_number>().within(patience);
              --c->now;
              co_return s.number + *opened;
            },
            [](go) {});
        said->add(text_of(ended));
      },
      gate_keeper, tally, log);
  const auto askers = new_book();
  for (int i = 0; i < 9; ++i) {
    h->spawn(
        [](self<go> me, ref<steps> to, int n, book said) -> actor {
          (void)me;
          const auto answer = co_await to.ask<step>(n).within(patience);
          said->add(answer && *answer == n + 7 ? "right" : "wrong");
        },
        who, i, askers);
  }
  CHECK(askers->wait_for(9) == lines(9, "right"));
  CHECK(tally->most == 3);
  lines begun;
  for (int i = 0; i < 9; ++i) begun.push_back("begin " + std::to_string(i));
  CHECK(log->all() == begun);
  h->stop(who);
  CHECK(log->wait_for(10).back() == "stopped");
  h.finish();
}

TEST_CASE("a failing interleaved handler fails its asker and the actor, and the others get no reply") {
  host h(1);
  struct job {
    using reply = int;
    bool bad;
  };
  const auto log = new_book();
  const auto who = h->spawn(
      [](self<job> me, book said) -> actor {
        tracked frame;
        try {
          (void)co_await me.serve(troupe::interleave(8), [&](job j) -> troupe::task<int> {
            tracked here;
            if (!j.bad) co_await me.sleep(1h);
            throw std::runtime_error("bad job");
          });
        } catch (const std::runtime_error& e) {
          said->add(e.what());
        }
      },
      log);
  const auto answers = new_book();
  for (const bool bad : {false, false, true}) {
    h->spawn(
        [](self<go> me, ref<job> to, bool b, book said) -> actor {
          (void)me;
          said->add(std::string(to_string((co_await to.ask<job>(b).within(patience)).error().code)));
        },
        who, bad, answers);
  }
  auto all = answers->wait_for(3);
  std::ranges::sort(all);
  CHECK(all == lines{"handler failed", "no reply", "no reply"});
  CHECK(log->wait_for(1) == lines{"bad job"});
  h.finish();
}

TEST_CASE("a replier answers later, from another actor, or by being dropped") {
  host h(2);
  struct job {
    using reply = std::string;
    std::string what;
  };
  struct hand_over {
    std::string what;
    troupe::replier<std::string> reply;
  };
  const auto worker = h->spawn(on_worker(1), [](self<hand_over> me) -> actor {
    co_await me.serve([](hand_over o) {
      if (o.what != "nothing") o.reply.reply("did " + o.what);
    });
  });
  const auto front = h->spawn(
      on_worker(0),
      [](self<job> me, ref<hand_over> to) -> actor {
        co_await me.serve([&](job j, troupe::replier<std::string> reply) -> troupe::task<> {
          (void)co_await to.send<hand_over>(troupe::give(j.what), troupe::give(reply));
        });
      },
      worker);
  CHECK(front.blocking_ask<job>(patience, "this").value() == "did this");
  CHECK(front.blocking_ask<job>(patience, "nothing").error() == errc::no_reply);
  h.finish();
}

TEST_CASE("a replier knows that its asker has gone, and the late reply is counted") {
  host h(2);
  struct job {
    using reply = std::string;
  };
  const auto log = new_book();
  const auto keeper = h->spawn(
      [](self<troupe::protocol<job, go>> me, book said) -> actor {
        std::optional<troupe::replier<std::string>> kept;
        (void)co_await me.serve(
            [&](job, troupe::replier<std::string> reply) {
              must(reply.wanted());
              kept.emplace(std::move(reply));
            },
            [&](go) {
              said->add(kept->wanted() ? "wanted" : "not wanted");
              kept->reply("late");
            });
      },
      log);
  CHECK(keeper.blocking_ask<job>(300ms).error() == errc::expired);
  REQUIRE(keeper.try_send<go>().has_value());
  CHECK(log->wait_for(1) == lines{"not wanted"});
  h.finish();
  CHECK(h->accounting().replies_lost == 1);
}

namespace {

struct deposit {
  int cents;
};
struct balance {
  using reply = int;
};
struct later {
  using reply = int;
};
struct account {
  using accepts = troupe::protocol<deposit, balance, later, go>;
  explicit account(int opening) : cents(opening) {}
  void on(const deposit& d) { cents += d.cents; }
  int on(balance) const { return cents; }
  void on(later, troupe::replier<int> reply) { waiting.push_back(std::move(reply)); }
  troupe::task<> on(go) {
    for (auto& w : waiting) w.reply(cents);
    waiting.clear();
    co_return;
  }
  int cents;
  std::vector<troupe::replier<int>> waiting;
  tracked here;
};

struct parrot {
  using accepts = troupe::protocol<text, ask_number>;
  parrot(self<accepts>& mine, int start) : me(mine), spoken(start) {}
  void on(text) { ++spoken; }
  int on(ask_number) {
    me.stop();
    return spoken;
  }
  self<accepts>& me;
  int spoken;
};

}  // namespace

TEST_CASE("a class is an actor: its on() overloads are the handlers") {
  host h(2);
  const auto a = h->spawn<account>(100);
  static_assert(std::is_same_v<std::remove_const_t<decltype(a)>, ref<account::accepts>>);
  REQUIRE(a.try_send<deposit>(23).has_value());
  CHECK(a.blocking_ask<balance>(patience).value() == 123);
  const auto asker = new_book();
  h->spawn(
      [](self<go> me, ref<account::accepts> to, book said) -> actor {
        (void)me;
        said->add(std::to_string((co_await to.ask<later>().within(patience)).value()));
      },
      a, asker);
  while (asker->all().empty()) REQUIRE(a.blocking_send<go>(patience).has_value());
  CHECK(asker->all() == lines{"123"});

  const auto p = h->spawn<parrot>(on_worker(1), 5);
  REQUIRE(p.try_send<text>("hello").has_value());
  CHECK(p.blocking_ask<ask_number>(patience).value() == 6);
  h.finish();
}

TEST_CASE("an actor's class children end with it") {
  host h(1);
  const auto log = new_book();
  const auto parent = h->spawn(
      [](self<go> me, book said) -> actor {
        const auto child = me.spawn<account>(1);
        said->add(child ? "child" : "no child");
        co_await me.serve([](go) {});
      },
      log);
  CHECK(log->wait_for(1) == lines{"child"});
  h->stop(parent);
  h.finish();
}

TEST_CASE("send_after and every send what they were given, until cancelled or the actor's end") {
  host h(2);
  const auto log = new_book();
  const auto sink = h->spawn(
      on_worker(1),
      [](self<number> me, book said) -> actor {
        co_await me.serve([&](number n) { said->add(std::to_string(n.value)); });
      },
      log);
  const auto who = h->spawn(
      on_worker(0),
      [](self<mail> me, ref<number> to) -> actor {
        const auto never = me.send_after<number>(1h, to, 99);
        const auto once = me.send_after<number>(1ms, to, 1);
        const auto mine = co_await me.receive<text>().within(1ms);
        must(!mine);
        (void)me.send_after<go>(1ms, me.me());
        const auto went = co_await me.receive<go>();
        must(went.has_value());
        must(me.cancel(never));
        const auto next = me.send_after<number>(1h, to, 99);  // in the place of the one before
        must(!me.cancel(never));
        must(me.cancel(next));
        (void)once;
        const auto again = me.every<number>(1ms, me.me(), 2);
        for (int i = 0; i < 5; ++i) {
          const auto tick = co_await me.receive<number>();
          must(tick && tick->value == 2);
        }
        must(me.cancel(again));
        (void)me.every<number>(1ms, to, 3);
        co_await me.receive<text>();
      },
      sink);
  REQUIRE(log->wait_for(4).size() >= 4);
  REQUIRE(who.try_send<text>("end").has_value());
  const auto all = log->all();
  CHECK(std::ranges::count(all, "1") == 1);
  CHECK(std::ranges::count(all, "99") == 0);
  h.finish();
}

TEST_CASE("every ends when its target has ended") {
  host h(1);
  const auto log = new_book();
  const auto sink = h->spawn([](self<number> me) -> actor { co_await me.serve([](number) {}); });
  const auto who = h->spawn(
      [](self<mail> me, ref<number> to, book said) -> actor {
        const auto ticks = me.every<number>(1ms, to, 1);
        me.node().kill(to);
        co_await me.receive<go>();
        said->add(me.cancel(ticks) ? "goes on" : "over");
      },
      sink, log);
  CHECK(eventually([&] { return h->accounting().refused != 0; }));
  CHECK(who.try_send<go>().has_value());
  CHECK(log->wait_for(1) == lines{"over"});
  CHECK(h->accounting().refused == 1);
  h.finish();
}
