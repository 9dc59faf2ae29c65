// How an actor takes what comes over every lane: serve, receive, handlers that wait, interleaving, classes, select.
#include "lane_suite.hpp"

#include <troupe/class_actor.hpp>
#include <troupe/when.hpp>

namespace lane_receive {

struct number {
  std::int32_t value;
};
struct text {
  std::string value;
};
struct go {};
struct ask_number {
  using reply = std::int32_t;
  std::int32_t value;
};
using mail = troupe::protocol<number, text, go, ask_number>;

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
struct balance_after {  // answered at the next deposit
  using reply = std::int64_t;
};
struct audit {
  using reply = std::string;
};

}  // namespace lane_receive

using namespace test;
using namespace lane_receive;
using nothing = troupe::protocol<>;

namespace {

using script = std::function<troupe::task<>(self<mail>& me, notes& said)>;

actor run_script(self<mail> me, script play_it, book said) { co_await play_it(me, *said); }

std::string outcome(const auto& r) {
  if (r) return "ok";
  return std::string(troupe::to_string(r.error().code));
}

/// Holds its askers until `together` of them wait, then lets them go.
actor run_turnstile(self<ask_number> me, std::size_t together) {
  std::vector<troupe::replier<std::int32_t>> waiting;
  co_await me.serve([&](ask_number, troupe::replier<std::int32_t> reply) {
    waiting.push_back(std::move(reply));
    if (waiting.size() < together) return;
    for (auto& w : waiting) w.reply(7);
    waiting.clear();
  });
}

class account {
 public:
  using accepts = troupe::protocol<deposit, balance, balance_after, audit>;
  account(self<accepts>& me, std::int64_t opening) : me_(&me), cents_(opening) {}

  void on(const deposit& d) {
    cents_ += d.cents;
    for (auto& w : waiting_) w.reply(cents_);
    waiting_.clear();
  }
  std::int64_t on(balance) const { return cents_; }
  void on(balance_after, troupe::replier<std::int64_t> reply) { waiting_.push_back(std::move(reply)); }
  troupe::task<std::string> on(audit) const {
    co_await me_->sleep(1ms);
    co_return std::to_string(cents_) + " audited";
  }

 private:
  self<accepts>* me_;
  std::int64_t cents_;
  std::vector<troupe::replier<std::int64_t>> waiting_;
};

}  // namespace

LANE_TEST("receive<M>: it takes the first of its type and leaves the others in order") {
  const auto log = new_book();
  const script plays = [](self<mail>& me, notes& said) -> troupe::task<> {
    auto started = co_await me.receive<go>();
    must(started.has_value());
    for (int i = 0; i < 3; ++i) {
      auto n = co_await me.receive<number>();
      said.add(n ? std::to_string(n->value) : "none");
    }
    auto late = co_await me.receive<number>().within(1ms);
    said.add(outcome(late));
    for (int i = 0; i < 3; ++i) {
      auto t = co_await me.receive<text>();
      said.add(t ? t->value : "none");
    }
  };
  const auto who = on.spawn_back(run_script, plays, log);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    for (int i = 1; i <= 3; ++i) {
      const std::string t = "t" + std::to_string(i);
      (void)co_await who.far.send<text>(t);
      (void)co_await who.far.send<number>(i);
    }
    (void)co_await who.far.send<go>();
  });
  CHECK(log->wait_for(7) == lines{"1", "2", "3", "deadline passed", "t1", "t2", "t3"});
}

LANE_TEST("receive<M>: of a request it gives the message and its replier") {
  const auto log = new_book();
  const script plays = [](self<mail>& me, notes&) -> troupe::task<> {
    auto first = co_await me.receive<ask_number>();
    auto second = co_await me.receive<ask_number>();
    second->reply.reply(second->message.value + 100);
    first->reply.reply(first->message.value + 200);
    auto third = co_await me.receive<ask_number>();
    must(third->reply.wanted());
  };
  const auto who = on.spawn_back(run_script, plays, log);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto [one, two] = co_await troupe::when_all(who.far.ask<ask_number>(1).within(patience),
                                                      who.far.ask<ask_number>(2).within(patience));
    CHECK((one && two && *one == 201 && *two == 102));
    const auto third = co_await who.far.ask<ask_number>(3).within(patience);
    CHECK(outcome(third) == "no reply");
  });
}

LANE_TEST("receive within: it ends with expired, or takes what comes in time") {
  const auto log = new_book();
  const script plays = [](self<mail>& me, notes& said) -> troupe::task<> {
    const auto early =
        co_await me.receive([](number) {}, [](const text&) {}, [](go) {}, [](ask_number) { return 0; })
            .within(1ms);
    said.add(text_of(early));
    const auto in_time = co_await me
                             .receive([&](number n) { said.add(std::to_string(n.value)); },
                                      [](const text&) {}, [](go) {}, [](ask_number) { return 0; })
                             .within(patience);
    said.add(text_of(in_time));
  };
  const auto who = on.spawn_back(run_script, plays, log);
  CHECK(log->wait_for(1) == lines{"deadline passed"});
  on.play_front([&](self<nothing>&) -> troupe::task<void> { (void)co_await who.far.send<number>(5); });
  CHECK(log->wait_for(3) == lines{"deadline passed", "5", "ok"});
}

LANE_TEST("serve: a handler that waits holds the mailbox, and messages keep their order") {
  const auto log = new_book();
  const script plays = [](self<mail>& me, notes& said) -> troupe::task<> {
    const auto ended = co_await me.serve(
        [&](number n) -> troupe::task<> {
          said.add("begin " + std::to_string(n.value));
          co_await me.sleep(100us);
          said.add("end " + std::to_string(n.value));
        },
        [&](const text& t) { said.add(t.value); }, [](go) {},
        [&](ask_number a) -> troupe::task<std::int32_t> {
          co_await me.sleep(100us);
          co_return a.value;
        });
    said.add(text_of(ended));
  };
  const auto who = on.spawn_back(run_script, plays, log);
  lines expected;
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    for (int i = 0; i < 10; ++i) {
      const std::string t = "text " + std::to_string(i);
      (void)co_await who.far.send<number>(i);
      (void)co_await who.far.send<text>(t);
      expected.insert(expected.end(), {"begin " + std::to_string(i), "end " + std::to_string(i), t});
    }
    const auto last = co_await who.far.ask<ask_number>(3).within(patience);
    CHECK((last && *last == 3));
  });
  CHECK(log->all() == expected);
  on.stop(who);
  CHECK(log->wait_for(expected.size() + 1).back() == "stopped");
}

LANE_TEST("interleave: handlers wait side by side, at most as many as was said, and start in order") {
  const auto log = new_book();
  const auto turnstile = on.spawn_front(run_turnstile, std::size_t{3});
  struct count {
    std::atomic<int> now{0};
    std::atomic<int> most{0};  // written by one actor, read by the test
  };
  const auto tally = std::make_shared<count>();
  const auto who = on.spawn_back(
      [](self<troupe::protocol<ask_number, go>> me, std::shared_ptr<count> c, book said) -> actor {
        const auto found = co_await me.node().lookup<ask_number>("turnstile").within(patience);
        const auto keeper = found.value();
        const auto ended = co_await me.serve(
            troupe::interleave(3),
            [&](ask_number a) -> troupe::task<std::int32_t> {
              said->add("begin " + std::to_string(a.value));
              c->most = std::max(c->most.load(), ++c->now);
              const auto passed = co_await keeper.ask<ask_number>(0).within(patience);
              --c->now;
              co_return passed ? a.value + *passed : -1;
            },
            [](go) {});
        said->add(text_of(ended));
      },
      tally, log);
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    const auto published = co_await me.node().publish("turnstile", turnstile);
    CHECK(text_of(published) == "ok");
    std::vector<troupe::task<bool>> askers;
    const auto asks = [](ref<ask_number> to, int n) -> troupe::task<bool> {
      const auto answer = co_await to.ask<ask_number>(n).within(patience);
      co_return answer && *answer == n + 7;
    };
    for (int i = 0; i < 9; ++i) askers.push_back(asks(who.far, i));
    const auto right = co_await troupe::when_all(std::move(askers));
    CHECK(right == std::vector<bool>(9, true));
  });
  CHECK(tally->most == 3);
  lines begun;
  for (int i = 0; i < 9; ++i) begun.push_back("begin " + std::to_string(i));
  CHECK(log->all() == begun);
  on.stop(who);
  CHECK(log->wait_for(10).back() == "stopped");
}

LANE_TEST("class actor: its on() overloads are the handlers, of messages, requests, tasks and repliers") {
  const auto home = on.back().spawn<account>(on.at_back(), 100);
  const auto who = on.introduce(home);
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    (void)co_await who.far.send<deposit>(11);
    const auto now = co_await who.far.ask<balance>().within(patience);
    CHECK((now && *now == 111));
    const auto audited = co_await who.far.ask<audit>().within(patience);
    CHECK((audited && *audited == "111 audited"));
    (void)me.send_after<deposit>(1ms, who.far, 9);
    const auto then = co_await who.far.ask<balance_after>().within(patience);
    CHECK((then && *then == 120));
  });
  on.stop(who);
  CHECK(on.left_alive(0));
}

LANE_TEST("select: a receive that loses takes nothing, or puts back what it had") {
  const auto log = new_book();
  const script plays = [](self<mail>& me, notes& said) -> troupe::task<> {
    int seen = 0;
    int in_order = 0;
    while (seen < 300) {
      auto first = co_await troupe::select(me.sleep(50us), me.receive<number>());
      if (first.index() == 0) continue;
      const auto& n = std::get<1>(first);
      if (!n) break;
      in_order += n->value == seen;
      ++seen;
    }
    said.add(std::to_string(in_order));
    const auto none = co_await troupe::select(me.receive<number>().within(1ms), me.sleep(1h));
    must(none.index() == 0 && !std::get<0>(none));
    said.add("done");
  };
  const auto who = on.spawn_back(run_script, plays, log);
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    for (int i = 0; i < 300; ++i) {
      (void)co_await who.far.send<number>(i);
      if (i % 20 == 0) co_await me.sleep(100us);
    }
  });
  CHECK(log->wait_for(2) == lines{"300", "done"});
}

LANE_TEST("select: over a receive, an ask and a sleep the first to end wins") {
  const auto log = new_book();
  const script replies = [](self<mail>& me, notes&) -> troupe::task<> {
    co_await me.serve([](number) {}, [](const text&) {}, [](go) {},
                      [&](ask_number a) -> troupe::task<std::int32_t> {
                        if (a.value == 0) co_await me.sleep(1h);
                        co_return a.value;
                      });
  };
  const auto who = on.spawn_back(run_script, replies, log);
  on.play_front<mail>([&](self<mail>& me) -> troupe::task<void> {
    const auto by_ask =
        co_await troupe::select(me.receive<number>(), who.far.ask<ask_number>(6).within(1h), me.sleep(1h));
    CHECK((by_ask.index() == 1 && *std::get<1>(by_ask) == 6));
    (void)me.send_after<number>(1ms, me.me(), 5);
    const auto by_message =
        co_await troupe::select(me.receive<number>(), who.far.ask<ask_number>(0).within(1h), me.sleep(1h));
    CHECK((by_message.index() == 0 && std::get<0>(by_message)->value == 5));
    const auto by_time =
        co_await troupe::select(me.receive<number>(), who.far.ask<ask_number>(0).within(1h), me.sleep(1ms));
    CHECK(by_time.index() == 2);
  });
}
