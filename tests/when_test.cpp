// select, when_all and when_any: who wins, what becomes of the losers, and that nothing is left behind.
#include "actor_support.hpp"

#include <functional>
#include <stdexcept>

#include <troupe/stream.hpp>
#include <troupe/when.hpp>

using namespace test;
using troupe::select;
using troupe::task;
using troupe::when_all;
using troupe::when_any;

namespace when_cases {
struct note {
  int number = 0;
};
}  // namespace when_cases

namespace {

using when_cases::note;
struct twice {
  using reply = int;
  int value;
};
struct never {
  using reply = tracked;
};
struct later {
  using reply = tracked;
};
struct let_go {};
using service = troupe::protocol<twice, never, later, let_go>;

/// Answers twice at once, never not at all, and later when it has been let go.
actor run_service(self<service> me, ref<note> tell) {
  co_await me.serve([](twice t) { return 2 * t.value; },
                    [&](never) -> task<tracked> {
                      co_await me.sleep(1h);
                      co_return tracked();
                    },
                    [&](later) -> task<tracked> {
                      co_await tell.send<note>(-1);
                      co_await me.sleep(5ms);
                      co_return tracked();
                    },
                    [](let_go) {});
}

using kinds = troupe::protocol<note>;

task<int> gives(int value, tracked = {}) { co_return value; }
task<int> gives_after(self<kinds>* me, troupe::duration d, int value) {
  const tracked t;
  co_await me->sleep(d);
  co_return value;
}
task<> does_nothing() { co_return; }
task<int> throws_after(self<kinds>* me, troupe::duration d, const char* text) {
  const tracked t;
  co_await me->sleep(d);
  throw std::runtime_error(text);
}
task<> forever(self<kinds>* me, tracked = {}) { co_await me->sleep(1h); }

/// Runs `body` in an actor of a host with `workers` workers, and checks the host afterwards.
using body = std::function<task<>(self<kinds>& me, notes& out)>;
actor run_body(self<kinds> me, body f, book log) {
  co_await f(me, *log);
  log->add("end");
}
lines play(body f, unsigned workers = 1) {
  host h(workers);
  const auto log = new_book();
  h->spawn(run_body, f, log);
  lines said;
  do {
    said = log->wait_for(said.size() + 1);
  } while (!said.empty() && said.back() != "end");
  h.finish();
  if (!said.empty()) said.pop_back();
  return said;
}

}  // namespace

TEST_CASE("the first to end wins a select, whatever it is") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          int number = 0;
          (void)me.me().try_send<note>(7);
          const auto first = co_await select(me.receive([&](note n) { number = n.number; }), me.sleep(1h),
                                             gives_after(&me, 1h, 1));
          out.add(std::to_string(first.index()) + " " + text_of(std::get<0>(first)) + std::to_string(number));

          const auto second =
              co_await select(me.receive([](note) {}), me.sleep(1ms), gives_after(&me, 1h, 1));
          out.add(std::to_string(second.index()));

          const auto third = co_await select(me.sleep(1h), gives_after(&me, 1ms, 3));
          out.add(std::to_string(third.index()) + " " + std::to_string(std::get<1>(third)));
        }) == lines{"0 ok7", "1", "1 3"});
}

TEST_CASE("of what needs no waiting the first in order wins, and the rest is not started") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          const auto a = co_await select(gives(1), gives(2));
          out.add(std::to_string(a.index()) + " " + std::to_string(std::get<0>(a)));
          const auto b = co_await select(me.sleep(1h), gives(2), forever(&me));
          out.add(std::to_string(b.index()) + " " + std::to_string(std::get<1>(b)));
          const auto c = co_await select(me.sleep(0s), me.me().send<note>(5));
          out.add(std::to_string(c.index()));
          const auto d = co_await select(does_nothing(), ref<service>().ask<twice>(1));
          out.add(std::to_string(d.index()));
          const auto e = co_await select(me.receive([](note) {}), me.sleep(1ms));
          out.add(std::to_string(e.index()));  // the send above was not sent
        }) == lines{"0 1", "1 2", "0", "0", "1"});
}

TEST_CASE("a select of one thing is that thing, and void is monostate") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          std::variant<std::monostate> slept = co_await select(me.sleep(1ms));
          out.add(std::to_string(slept.index()));
          std::variant<result<int>> asked = co_await select(ref<service>().ask<twice>(1).within(1s));
          out.add(std::get<0>(asked) ? "answered" : "nobody");
          task<int> named = gives(4);
          std::variant<std::monostate, int> lvalue = co_await select(me.sleep(1h), named);
          out.add(std::to_string(std::get<1>(lvalue)));
        }) == lines{"0", "nobody", "4"});
}

TEST_CASE("a losing receive takes nothing, and the next receive gets the message") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          const auto won = co_await select(me.receive([&](note) { out.add("wrong"); }), me.sleep(1ms));
          out.add(std::to_string(won.index()));
          (void)co_await me.me().send<note>(9);
          co_await me.sleep(1ms);
          (void)co_await me.receive([&](note n) { out.add(std::to_string(n.number)); });
        }) == lines{"1", "9"});
}

TEST_CASE("the losers of an inner select are gone at once, while the expression waits on") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          const auto [inner, rest] = co_await when_all(
              select(me.receive([&](note) { out.add("wrong"); }), me.sleep(1ms)),
              [](self<kinds>* self, notes* log) -> task<int> {
                co_await self->sleep(3ms);
                (void)co_await self->me().send<note>(9);
                co_await self->sleep(1ms);
                (void)co_await self->receive([&](note n) { log->add(std::to_string(n.number)); });
                co_return 5;
              }(&me, &out));
          out.add(std::to_string(inner.index()) + " " + std::to_string(rest));
        }) == lines{"9", "1 5"});
}

TEST_CASE("a losing ask is given up: its handler is cancelled") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    h->spawn(
        on_worker(0),
        [](self<kinds> me, book out, unsigned other) -> actor {
          const auto s = me.spawn(on_worker(other), run_service, me.me());
          const auto won = co_await select(s.ask<never>().within(1h), me.sleep(1ms));
          out->add(std::to_string(won.index()));
          const auto next = co_await s.ask<twice>(4);  // the mailbox would wait for that handler
          out->add(next ? std::to_string(*next) : next.error().text());
        },
        log, workers - 1);
    CHECK(log->wait_for(2) == lines{"1", "8"});
    h.finish();
    CHECK(h->accounting().replies_lost == 0);
  }
}

TEST_CASE("a losing send that waited for room was never sent") {
  host h(1);
  const auto log = new_book();
  const auto full = h->spawn(
      on_worker(0, 1),
      [](self<note> me, book out) -> actor {
        for (int i = 0; i < 2; ++i) {
          co_await me.sleep(20ms);
          (void)co_await me.receive([&](note n) { out->add(std::to_string(n.number)); });
        }
        const auto nothing = co_await select(me.receive([](note) {}), me.sleep(2ms));
        out->add("nothing " + std::to_string(nothing.index()));
      },
      log);
  h->spawn(
      [](self<kinds> me, ref<note> to, book out) -> actor {
        (void)co_await to.send<note>(1);
        const auto won = co_await select(to.send<note>(2), me.sleep(1ms));
        out->add("lost " + std::to_string(won.index()));
        const auto sent = co_await select(me.sleep(1h), to.send<note>(3));
        out->add(text_of(std::get<1>(sent)));
      },
      full, log);
  const auto said = log->wait_for(5);
  CHECK(said == lines{"lost 1", "1", "ok", "3", "nothing 1"});
  h.finish();
}

TEST_CASE("a lost lookup, read and accept lose nothing") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          const auto door = troupe::listener::open("tcp://127.0.0.1:0");
          const auto none =
              co_await select(door->accept(), me.sleep(1ms), me.node().lookup<note>("x").within(1h));
          out.add(std::to_string(none.index()));
          const std::string url = door->url();
          auto [there, here] = co_await when_all(door->accept(), troupe::byte_stream::connect(url));
          const auto unread = co_await select(there->read_line(100), me.sleep(1ms));
          out.add(std::to_string(unread.index()));
          (void)co_await here->write("a line\n");
          auto line = co_await select(me.sleep(1h), there->read_line(100));
          out.add(*std::get<1>(line));
          const auto found = co_await select(me.sleep(1h), me.node().lookup<note>("me").within(1h),
                                             me.node().publish("me", me.me()));
          out.add(std::to_string(found.index()));  // the one that publishing completes
        }) == lines{"1", "1", "a line", "1"});
}

TEST_CASE("an exception wins a select, and the others are cancelled") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          try {
            (void)co_await select(me.sleep(1h), throws_after(&me, 1ms, "thrown"), forever(&me));
          } catch (const std::runtime_error& e) {
            out.add(e.what());
          }
          out.add(std::to_string(tracked::alive));
        }) == lines{"thrown", "0"});
}

TEST_CASE("of two that end in one run the first completed wins, and the other's reply is counted as lost") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<kinds> me, book out) -> actor {
        const auto a = me.spawn(run_service, me.me());
        const auto b = me.spawn(run_service, me.me());
        const auto won = co_await select(a.ask<twice>(1), b.ask<twice>(2));  // one turn answers both
        out->add(std::to_string(won.index()));
      },
      log);
  CHECK(log->wait_for(1) == lines{"0"});
  h.finish();
  CHECK(h->accounting().replies_lost == 1);
}

TEST_CASE("when_all waits for all, in any order, and gives a tuple") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          const auto s = me.spawn(run_service, me.me());
          const auto [a, b, c, d] =
              co_await when_all(gives_after(&me, 2ms, 1), me.sleep(1ms), gives(3), s.ask<twice>(2));
          static_assert(std::is_same_v<decltype(b), const std::monostate>);
          out.add(std::to_string(a) + std::to_string(c) + std::to_string(*d));
          (void)co_await when_all();
          me.node().stop(s);
        }) == lines{"134"});
}

TEST_CASE("when_all throws the first exception once all have ended") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          bool ended = false;
          try {
            (void)co_await when_all(throws_after(&me, 2ms, "second"), throws_after(&me, 1ms, "first"),
                                    [](self<kinds>* self, bool* done) -> task<> {
                                      co_await self->sleep(4ms);
                                      *done = true;
                                    }(&me, &ended));
          } catch (const std::runtime_error& e) {
            out.add(e.what());
          }
          out.add(ended ? "ended" : "not ended");
        }) == lines{"first", "ended"});
}

TEST_CASE("when_all of a vector gives a vector") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          std::vector<task<int>> numbers;
          for (int i = 0; i < 1000; ++i)
            numbers.push_back(gives_after(&me, std::chrono::microseconds(i % 7), i));
          const std::vector<int> all = co_await when_all(std::move(numbers));
          bool right = all.size() == 1000;
          for (int i = 0; i < 1000; ++i) right = right && all[static_cast<std::size_t>(i)] == i;
          out.add(right ? "right" : "wrong");
          std::vector<task<>> chores;
          for (int i = 0; i < 10; ++i) chores.push_back(does_nothing());
          co_await when_all(std::move(chores));
          std::vector<task<std::unique_ptr<int>>> none;
          const std::vector<std::unique_ptr<int>> empty = co_await when_all(std::move(none));
          out.add(std::to_string(empty.size()));
        }) == lines{"right", "0"});
}

TEST_CASE("when_any gives the first of a vector, and destroys the others") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          std::vector<task<int>> numbers;
          for (int i = 0; i < 10; ++i) numbers.push_back(gives_after(&me, i == 6 ? 1ms : 1h, i));
          const auto [index, value] = co_await when_any(std::move(numbers));
          out.add(std::to_string(index) + " " + std::to_string(value) + " " + std::to_string(tracked::alive));
          std::vector<task<>> chores;
          chores.push_back(forever(&me));
          chores.push_back(does_nothing());
          const troupe::when_any_result<void> done = co_await when_any(std::move(chores));
          out.add(std::to_string(done.index));
          std::vector<task<int>> bad;
          bad.push_back(gives_after(&me, 1h, 1));
          bad.push_back(throws_after(&me, 0ms, "thrown"));
          try {
            (void)co_await when_any(std::move(bad));
          } catch (const std::runtime_error& e) {
            out.add(e.what());
          }
        }) == lines{"6 6 0", "1", "thrown"});
}

TEST_CASE("when_any of nothing is refused") {
  const death d = fate_of([] { (void)when_any(std::vector<task<int>>()); });
  CHECK(d.aborted);
  CHECK(d.said.find("at least one task") != std::string::npos);
}

TEST_CASE("selects and when_alls nest, and a cancelled one cancels what it waits for") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          const auto first = co_await select(
              when_all(me.sleep(1h), select(me.receive([](note) {}), forever(&me)), gives(1)), me.sleep(1ms));
          out.add(std::to_string(first.index()) + " " + std::to_string(tracked::alive));
          std::vector<task<>> endless;
          endless.push_back(forever(&me));
          const auto second =
              co_await select(when_any(std::move(endless)), gives(2), when_all(gives(3), gives(4)));
          out.add(std::to_string(second.index()) + " " + std::to_string(tracked::alive));
          (void)co_await me.me().send<note>(1);
          const auto third = co_await select(select(me.sleep(1h), me.receive([](note) {})), me.sleep(1s));
          out.add(std::to_string(std::get<0>(third).index()));
        }) == lines{"1 0", "1 0", "1"});
}

namespace {

task<int> deep(int levels) {
  if (levels == 0) co_return 0;
  if (levels % 2 == 0) {
    const auto below = co_await select(deep(levels - 1), troupe::sleep_operation(1h));
    co_return std::get<0>(below) + 1;
  }
  const auto [below] = co_await when_all(deep(levels - 1));
  co_return below + 1;
}

}  // namespace

TEST_CASE("selects that await each other use no stack") {
  CHECK(play([](self<kinds>&, notes& out) -> task<> {
          const int reached = co_await deep(100'000);
          out.add(std::to_string(reached));
        }) == lines{"100000"});
}

TEST_CASE("a hundred thousand selects leave nothing behind") {
  CHECK(play([](self<kinds>& me, notes& out) -> task<> {
          const auto s = me.spawn(run_service, me.me());
          std::size_t wins[4] = {};
          for (int i = 0; i < 100'000; ++i) {
            if (i % 3 == 0) (void)co_await me.me().send<note>(i);
            const auto won =
                co_await select(me.receive([](note) {}), s.ask<twice>(i), me.sleep(1s), forever(&me));
            ++wins[won.index()];
          }
          out.add(std::to_string(wins[0] + wins[1]) + " " + std::to_string(wins[2] + wins[3]) + " " +
                  std::to_string(tracked::alive));
          for (bool more = true; more;) {
            const auto left = co_await select(me.receive([](note) {}), me.sleep(1ms));
            more = left.index() == 0;
          }
          me.node().stop(s);
        }) == lines{"100000 0 0"});
}
