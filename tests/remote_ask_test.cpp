// What only an ask to another node meets: messages that have grown, and nodes and processes that go away.
#include "remote_support.hpp"

#include <atomic>
#include <stdexcept>

#include <troupe/log.hpp>

namespace remote_ask {

struct twice {
  using reply = std::int64_t;
  std::int64_t value;
};
struct never {
  using reply = int;
};
using service = troupe::protocol<twice, never>;

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

/// Answers; a never holds it for ever.
actor run_service(self<service> me) {
  co_await me.serve([](twice t) { return 2 * t.value; },
                    [&](never) -> troupe::task<int> {
                      co_await me.sleep(1h);
                      co_return 0;
                    });
}

std::string outcome(const auto& r) {
  if (r) return "ok";
  return std::string(troupe::to_string(r.error().code));
}

}  // namespace

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
    std::atomic<bool> field_named = false;
    troupe::set_log_sink([&](troupe::log_level, std::string_view line) {
      const bool named = line ==
                         "back: messages of front refused: remote_ask_wire::order: field 1 is cents:i64 "
                         "here and cents:str there";
      field_named = field_named || named;
    });
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
    troupe::set_log_sink({});
    CHECK(field_named);
    nodes.back.stop(old_one);
    nodes.back.stop(new_one);
    nodes.finish();
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
