// Two actors send a number to and fro; each sums what it gets. A round trip is two messages.
#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

/// Pinned ones may sleep at each message, and then a round trip takes a thousand times longer.
std::uint64_t rounds_of(const setting& how) {
  return how.times(how.where == placement::pinned ? 100'000 : 2'000'000);
}

troupe::actor run_pong(troupe::self<numbers> me, troupe::ref<number> ping) {
  std::int64_t sum = 0;
  std::int64_t last = 0;
  const auto take = [&](number n) { sum += last = n.value; };
  const auto tell = [&](total) { return sum; };
  for (;;) {
    const auto got = co_await me.receive(take, tell);
    if (!got) co_return;
    if (last >= 0) co_await ping.send<number>(last);
    last = -1;
  }
}

troupe::actor run_ping(troupe::self<number> me, report done, setting how) {
  const auto pong = me.spawn(other_place(how), run_pong, me.me());
  const std::uint64_t rounds = rounds_of(how);
  std::int64_t sum = 0;
  const auto take = [&](number n) { sum += n.value; };
  const stopwatch watch;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    co_await pong.send<number>(i);
    (void)co_await me.receive(take);
  }
  const double each = watch.ns_each(rounds);
  const auto there = co_await pong.ask<total>();
  check(sum == sum_below(rounds) && there && *there == sum, "pingpong: the sums are wrong");
  done->set_value(each);
}

using queue = by_hand::mailbox<std::int64_t>;

by_hand::routine serve_by_hand(queue& in, queue& out, std::int64_t& sum) {
  for (;;) {
    const std::int64_t n = co_await in.pop();
    sum += n;
    co_await out.push(n);
  }
}
by_hand::routine play_by_hand(queue& in, queue& out, std::uint64_t rounds, std::int64_t& sum) {
  for (std::uint64_t i = 0; i < rounds; ++i) {
    co_await out.push(static_cast<std::int64_t>(i));
    sum += co_await in.pop();
  }
}
double on_one_thread(const setting& how) {
  const std::uint64_t rounds = rounds_of(how);
  by_hand::run_list all;
  queue there(all);
  queue back(all);
  std::int64_t sum = 0;
  std::int64_t sum_there = 0;
  const auto pong = serve_by_hand(there, back, sum_there);
  const stopwatch watch;
  const auto ping = play_by_hand(back, there, rounds, sum);
  all.run();
  const double each = watch.ns_each(rounds);
  check(sum == sum_below(rounds) && sum_there == sum, "pingpong: the sums are wrong");
  return each;
}

double on_two_threads(const setting& how) {
  const std::uint64_t rounds = rounds_of(how);
  by_hand::ring<std::int64_t> there;
  by_hand::ring<std::int64_t> back;
  std::int64_t sum_there = 0;
  std::thread pong([&] {
    by_hand::pin(1);
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const std::int64_t n = there.pop();
      sum_there += n;
      back.push(n);
    }
  });
  by_hand::pin(0);
  std::int64_t sum = 0;
  const stopwatch watch;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    there.push(static_cast<std::int64_t>(i));
    sum += back.pop();
  }
  const double each = watch.ns_each(rounds);
  pong.join();
  check(sum == sum_below(rounds) && sum_there == sum, "pingpong: the sums are wrong");
  return each;
}

double by_troupe(const setting& how) { return on_a_node(how, run_ping); }

}  // namespace

void add_pingpong(cases& all) {
  all.push_back({"pingpong", 1, placement::free, "ns", by_troupe, on_one_thread});
  all.push_back({"pingpong", 2, placement::free, "ns", by_troupe, on_one_thread});
  all.push_back({"pingpong", 2, placement::pinned, "ns", by_troupe, on_two_threads});
}

}  // namespace bench
