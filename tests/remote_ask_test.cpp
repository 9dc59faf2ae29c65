// ask across nodes: replies, deadlines, and every way in which there is no reply.
#include "remote_support.hpp"

#include <stdexcept>

namespace remote_ask {

struct twice {
  using reply = std::int64_t;
  std::int64_t value;
};
struct repeat {
  using reply = std::vector<std::string>;
  std::string text;
  std::uint32_t times;
};
struct touch {
  using reply = void;
};
struct fail {
  using reply = int;
};
struct never {
  using reply = int;
};
using service = troupe::protocol<twice, repeat, touch, fail, never>;

struct question {
  using reply = int;
};
struct aside {
  using reply = void;
  std::string bytes;
};
using desk = troupe::protocol<question, aside>;

}  // namespace remote_ask

// One name on the wire, other fields: what programs of different age call remote_ask_wire::order.
namespace remote_ask_wire {

enum class age { first, later, other };

template <age Age>
struct order;
template <>
struct order<age::first> {
  using reply = std::string;
  std::int64_t cents;
};
template <>
struct order<age::later> {  // has grown
  using reply = std::string;
  std::int64_t cents;
  std::optional<std::string> remark;
};
template <>
struct order<age::other> {
  using reply = std::string;
  std::string cents;
};

}  // namespace remote_ask_wire

using namespace test;
using namespace remote_ask;
using remote_ask_wire::age;
using remote_ask_wire::order;
using nothing = troupe::protocol<>;

namespace {

/// Answers; a fail ends it, and a never holds it for ever.
actor run_service(self<service> me) {
  co_await me.serve([](twice t) { return 2 * t.value; },
                    [](const repeat& r) { return std::vector<std::string>(r.times, r.text); }, [](touch) {},
                    [](fail) -> int { throw std::runtime_error("cannot"); },
                    [&](never) -> troupe::task<int> {
                      co_await me.sleep(1h);
                      co_return 0;
                    });
}

/// Leaves its mailbox alone until the gate is open, then answers.
actor run_desk(self<desk> me, std::shared_ptr<std::atomic<int>> handled) {
  const bool open = co_await passes(me.node(), "open");
  if (!open) co_return;
  co_await me.serve([&](question) { return handled->fetch_add(1); }, [](const aside&) {});
}

std::string outcome(const auto& r) {
  if (r) return "ok";
  return std::string(troupe::to_string(r.error().code));
}

}  // namespace

TEST_CASE("remote ask: replies of every kind come back, small and large") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto local = nodes.back.spawn(run_service);
    const auto far = seen_from(nodes.front, nodes.back, local);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto number = co_await far.ask<twice>(21).within(patience);
      CHECK((number && *number == 42));
      const auto done = co_await far.ask<touch>();
      CHECK(done.has_value());
      const std::string word(100, 'w');
      const auto list = co_await far.ask<repeat>(word, 600).within(patience);
      CHECK((list && *list == std::vector<std::string>(600, word)));
      const auto too_much = co_await far.ask<repeat>(word, 700).within(patience);  // a reply of over 64 KiB
      CHECK(outcome(too_much) == "too large");
      const std::string huge(64 * 1024, 'h');
      const auto refused = co_await far.ask<repeat>(huge, 1);
      CHECK(outcome(refused) == "too large");
    });
    const auto blocking = far.blocking_ask<twice>(patience, 4);
    CHECK((blocking && *blocking == 8));
    nodes.back.stop(local);
    nodes.finish();
  }
}

TEST_CASE("remote ask: a message that has grown passes both ways, and one that differs is wrong protocol") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto old_one = nodes.back.spawn([](self<order<age::first>> me) -> actor {
      co_await me.serve([](const order<age::first>& o) { return std::to_string(o.cents); });
    });
    const auto new_one = nodes.back.spawn([](self<order<age::later>> me) -> actor {
      co_await me.serve(
          [](const order<age::later>& o) { return std::to_string(o.cents) + o.remark.value_or(" plain"); });
    });
    const auto far_old = seen_from(nodes.front, nodes.back, old_one);
    const auto far_new = seen_from(nodes.front, nodes.back, new_one);
    // As a program that knows only the other age would have them.
    const auto old_as_new = troupe::detail::ref_to<order<age::later>>(troupe::detail::address_of(far_old));
    const auto new_as_old = troupe::detail::ref_to<order<age::first>>(troupe::detail::address_of(far_new));
    const auto mistaken = troupe::detail::ref_to<order<age::other>>(troupe::detail::address_of(far_old));
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      for (int round = 0; round < 3; ++round) {
        const std::optional<std::string> remark = " in a hurry";
        const auto same = co_await far_new.ask<order<age::later>>(1, remark).within(patience);
        CHECK((same && *same == "1 in a hurry"));
        const auto shorter = co_await new_as_old.ask<order<age::first>>(2).within(patience);
        CHECK((shorter && *shorter == "2 plain"));
        const auto longer = co_await old_as_new.ask<order<age::later>>(3, remark).within(patience);
        CHECK((longer && *longer == "3"));
        const auto differs = co_await mistaken.ask<order<age::other>>("4").within(patience);
        CHECK(outcome(differs) == "wrong protocol");
      }
    });
    CHECK(settled(nodes.back).undelivered[static_cast<std::size_t>(errc::wrong_protocol)] == 3);
    nodes.back.stop(old_one);
    nodes.back.stop(new_one);
    nodes.finish();
  }
}

TEST_CASE("remote ask: many actors ask at once, and each gets its own reply") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto local = nodes.back.spawn(run_service);
    const auto far = seen_from(nodes.front, nodes.back, local);
    const auto log = new_book();
    constexpr int askers = 200;
    for (int i = 0; i < askers; ++i) {
      nodes.front.spawn(
          [](self<nothing> me, ref<service> to, int number, book out) -> actor {
            (void)me;
            std::string said = "ok";
            for (int round = 0; round < 20; ++round) {
              const auto got = co_await to.ask<twice>(1000 * number + round).within(patience);
              if (!got || *got != 2 * (1000 * number + round)) said = outcome(got);
            }
            out->add(said);
          },
          far, i, log);
    }
    CHECK(log->wait_for(askers) == lines(askers, "ok"));
    nodes.back.stop(local);
    nodes.finish();
  }
}

TEST_CASE(
    "remote ask: a failing handler, a dead actor and one that dies while it works each answer with their "
    "error") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto brittle = seen_from(nodes.front, nodes.back, nodes.back.spawn(run_service));
    const auto lasting = nodes.back.spawn(run_service);
    const auto stuck = seen_from(nodes.front, nodes.back, lasting);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto failed = co_await brittle.ask<fail>().within(patience);
      CHECK(outcome(failed) == "handler failed");
    });
    CHECK(eventually([&] { return nodes.back.live_actors() == 3; }));
    const auto started = std::chrono::steady_clock::now();
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto dead = co_await brittle.ask<twice>(1).within(patience);
      CHECK(outcome(dead) == "no such actor");
    });
    CHECK(std::chrono::steady_clock::now() - started < 1s);
    CHECK(outcome(brittle.blocking_ask<twice>(patience, 1)) == "no such actor");

    const std::uint64_t taken = settled(nodes.back).taken;
    auto first = start_playing(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto given_up = co_await stuck.ask<never>().within(patience);
      expect(outcome(given_up), "no reply");
    });
    CHECK(eventually([&] { return nodes.back.accounting().taken == taken + 1; }));
    auto second = start_playing(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto behind = co_await stuck.ask<touch>().within(patience);
      expect(outcome(behind), "no such actor");
    });
    CHECK(eventually([&] { return nodes.back.accounting().pending == 1; }));
    nodes.back.kill(lasting);
    first.finish();
    second.finish();
    nodes.finish();
  }
}

TEST_CASE("remote ask: a request whose deadline has passed is not started") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto handled = std::make_shared<std::atomic<int>>(0);
    const auto local = nodes.back.spawn(run_desk, handled);
    const auto far = seen_from(nodes.front, nodes.back, local);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto late = co_await far.ask<question>().within(20ms);
      CHECK(outcome(late) == "deadline passed");
    });
    // It may have travelled for as long as it liked; once it is there, its time runs out there as well.
    CHECK(eventually([&] { return nodes.back.accounting().pending == 1; }));
    play(nodes.back, [&](self<nothing>& me) -> troupe::task<void> {
      (void)co_await me.node().lookup<question>("a name that never appears").within(30ms);
    });
    named_gate open("open");
    open.open(nodes.back);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto next = co_await far.ask<question>().within(patience);
      CHECK((next && *next == 0));
    });
    CHECK(nodes.back.accounting().undelivered[static_cast<std::size_t>(errc::expired)] == 1);
    nodes.back.stop(local);
    open.remove(nodes.back);
    nodes.finish();
    CHECK(handled->load() == 1);
  }
}

TEST_CASE(
    "remote ask: a request that still waits for room at its deadline says mailbox full and is never sent") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto handled = std::make_shared<std::atomic<int>>(0);
    const auto local = nodes.back.spawn(run_desk, handled);
    const auto far = seen_from(nodes.front, nodes.back, local);
    const auto use_up = [&](self<nothing>&) -> troupe::task<void> {
      for (const std::size_t size : {16'000u, 2'000u, 250u, 30u, 0u}) {  // down to the last bytes of credit
        const std::string bytes(size, 'x');
        for (bool room = true; room;) {
          const auto asked = co_await far.ask<aside>(bytes).within(2ms);
          room = outcome(asked) == "deadline passed";
          if (!room) CHECK(outcome(asked) == "mailbox full");
        }
      }
      for (int i = 0; i < 3; ++i) {
        const auto asked = co_await far.ask<question>().within(2ms);
        CHECK(outcome(asked) == "mailbox full");
      }
    };
    play(nodes.front, use_up, on_worker(0));
    named_gate open("open");
    open.open(nodes.back);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto next = co_await far.ask<question>().within(patience);
      CHECK((next && *next == 0));
    });
    nodes.back.stop(local);
    open.remove(nodes.back);
    nodes.finish();
    CHECK(handled->load() == 1);
  }
}

TEST_CASE("remote ask: an asker killed while it waits leaves nothing behind") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto handled = std::make_shared<std::atomic<int>>(0);
    const auto local = nodes.back.spawn(run_desk, handled);
    const auto far = seen_from(nodes.front, nodes.back, local);
    std::vector<ref<>> askers;
    for (int i = 0; i < 20; ++i) {
      askers.push_back(nodes.front.spawn(
          [](self<nothing> me, ref<desk> to) -> actor {
            (void)me;
            (void)co_await to.ask<question>().within(1h);
          },
          far));
    }
    CHECK(eventually([&] { return nodes.back.accounting().pending == 20; }));
    for (const ref<>& a : askers) nodes.front.kill(a);
    CHECK(eventually([&] { return nodes.front.live_actors() == 2; }));
    named_gate open("open");
    open.open(nodes.back);
    CHECK(eventually([&] { return nodes.front.accounting().replies_lost == 20; }));
    nodes.back.stop(local);
    open.remove(nodes.back);
    nodes.finish();
    CHECK(handled->load() == 20);
  }
}

TEST_CASE("remote ask: without a link the answer is unreachable at once") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto far = seen_from(nodes.front, nodes.back, nodes.back.spawn(run_service));
    nodes.check_lane();
    check_stops(nodes.back);
    CHECK(eventually([&] { return link_to(nodes.front, "back").lane == "none"; }));
    const auto started = std::chrono::steady_clock::now();
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto asked = co_await far.ask<twice>(1).within(patience);
      CHECK(outcome(asked) == "unreachable");
    });
    CHECK(outcome(far.blocking_ask<twice>(patience, 1)) == "unreachable");
    CHECK(std::chrono::steady_clock::now() - started < 1s);
    check_stops(nodes.front);
  }
}

TEST_CASE("remote ask: asks that are under way when the peer stops all end, and both books balance") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto far = seen_from(nodes.front, nodes.back, nodes.back.spawn(run_service));
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> answered{0};
    std::vector<playing> askers;
    for (unsigned i = 0; i < 8; ++i) {
      askers.push_back(start_playing(
          nodes.front,
          [&](self<nothing>&) -> troupe::task<void> {
            while (!over.load()) {
              const auto got = co_await far.ask<twice>(7).within(patience);
              if (got) {
                answered.fetch_add(1);
                continue;
              }
              const errc why = got.error().code;
              if (why != errc::stopped && why != errc::no_such_actor && why != errc::no_reply) {
                if (why != errc::unreachable && why != errc::link_down)
                  throw std::runtime_error(got.error().text());
                co_return;
              }
            }
          },
          on_worker(i)));
    }
    CHECK(eventually([&] { return answered.load() > 1000; }));
    CHECK(nodes.back.stop());
    for (playing& a : askers) a.finish();
    over.store(true);
    CHECK(nodes.back.accounting().balanced());
    settled(nodes.front);
    check_stops(nodes.front);
  }
}

TEST_CASE("remote ask: when the peer's process is killed, every ask that is under way says so") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    child_process peer([&](auto say) {
      troupe::node back = start_listening(how.options("back"));
      play(back, [&](self<nothing>& me) -> troupe::task<void> {
        const auto service_here = back.spawn(run_service);
        (void)co_await me.node().publish("service", service_here);
      });
      say(back.endpoints()[0]);
      stay();
    });
    troupe::node front = start(how.options("front"));
    join(front, peer.line());
    CHECK(link_to(front, "back").lane == how.lane());
    ref<service> far;
    play(front, [&](self<nothing>& me) -> troupe::task<void> {
      const auto found = co_await me.node().lookup<service>("service").within(patience);
      REQUIRE(found.has_value());
      far = *found;
      const auto warm = co_await far.ask<twice>(1).within(patience);
      CHECK(outcome(warm) == "ok");
    });
    const std::uint64_t before = settled(front).handed_over;
    constexpr unsigned askers = 10;
    const auto log = new_book();
    for (unsigned i = 0; i < askers; ++i) {
      front.spawn(
          on_worker(i),
          [](self<nothing> me, ref<service> to, book out) -> actor {
            (void)me;
            const auto asked = co_await to.ask<never>().within(patience);
            out->add(outcome(asked));
          },
          far, log);
    }
    CHECK(eventually([&] { return front.accounting().handed_over >= before + askers; }));
    CHECK(link_to(front, "back").frames_out >= askers);
    peer.kill();
    CHECK(log->wait_for(askers) == lines(askers, "link down"));
    CHECK(eventually([&] { return front.live_actors() == 1; }));
    settled(front);
    check_stops(front);
  }
}
