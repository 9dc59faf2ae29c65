// Everybody sends a ping to everybody else, and answers each that comes: two messages for each pair and direction.
#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

constexpr unsigned full_members = 500;  // what may come to one fits into its mailbox: nobody waits for room

struct pong {
  std::int64_t value;
};
struct ping {
  troupe::ref<pong> from;
  std::int64_t value;
};
using member = troupe::protocol<ping, pong>;
using member_list = std::shared_ptr<std::vector<troupe::ref<member>>>;
struct begin {
  member_list all;
};
using beginner = troupe::protocol<begin, ping, pong>;

troupe::actor run_big_member(troupe::self<beginner> me, troupe::ref<number> done) {
  std::size_t missing = 0;
  std::int64_t sum = 0;
  const auto answer = [](ping p) -> troupe::task<void> { co_await p.from.send<pong>(p.value); };
  const auto count = [&](pong p) -> troupe::task<void> {
    sum += p.value;
    if (--missing == 0) co_await done.send<number>(sum);
  };
  const auto start = [&](begin b) -> troupe::task<void> {
    const member_list all = std::move(b.all);
    missing = all->size() - 1;
    for (const troupe::ref<member>& other : *all) {
      if (other != me.me()) co_await other.send<ping>(me.me(), 1);
    }
  };
  co_await me.serve(start, answer, count);
}

troupe::actor run_big(troupe::self<number> me, report done, setting how) {
  const auto members = static_cast<unsigned>(how.quick ? 20 : full_members);
  const member_list all = std::make_shared<std::vector<troupe::ref<member>>>();
  std::vector<troupe::ref<beginner>> first;
  for (unsigned i = 0; i < members; ++i) {
    first.push_back(me.spawn(run_big_member, me.me()));
    all->push_back(first.back());
  }
  std::int64_t sum = 0;
  const auto take = [&](number n) { sum += n.value; };
  const stopwatch watch;
  for (const troupe::ref<beginner>& m : first) co_await m.send<begin>(all);
  for (unsigned i = 0; i < members; ++i) (void)co_await me.receive(take);
  const std::uint64_t messages = std::uint64_t{2} * members * (members - 1);
  const double rate = watch.millions_per_second(messages);
  check(sum == std::int64_t{members} * (members - 1), "big: pongs are missing");
  done->set_value(rate);
}

/// A message by hand: a ping says who sent it, a pong nobody.
struct note {
  unsigned from;
  std::int64_t value;
  bool is_ping;
};
using queue = by_hand::mailbox<note, 2048>;
using queues = std::vector<std::unique_ptr<queue>>;

by_hand::routine play_by_hand(queues& all, unsigned self, std::int64_t& sum) {
  const auto members = static_cast<unsigned>(all.size());
  for (unsigned i = 0; i < members; ++i) {
    if (i != self) co_await all[i]->push(note{self, 1, true});
  }
  for (unsigned left = 2 * (members - 1); left != 0; --left) {
    const note n = co_await all[self]->pop();
    if (n.is_ping) {
      co_await all[n.from]->push(note{self, n.value, false});
    } else {
      sum += n.value;
    }
  }
}
double big_by_hand(const setting& how) {
  const auto members = static_cast<unsigned>(how.quick ? 20 : full_members);
  by_hand::run_list run;
  queues all;
  for (unsigned i = 0; i < members; ++i) all.push_back(std::make_unique<queue>(run));
  std::int64_t sum = 0;
  const stopwatch watch;
  std::vector<by_hand::routine> playing;
  for (unsigned i = 0; i < members; ++i) playing.push_back(play_by_hand(all, i, sum));
  run.run();
  const std::uint64_t messages = std::uint64_t{2} * members * (members - 1);
  const double rate = watch.millions_per_second(messages);
  check(sum == std::int64_t{members} * (members - 1), "big: pongs are missing");
  return rate;
}

double by_troupe(const setting& how) { return on_a_node(how, run_big); }

}  // namespace

void add_big(cases& all) {
  all.push_back({"big", 1, placement::free, "M/s", by_troupe, big_by_hand});
  all.push_back({"big", 2, placement::free, "M/s", by_troupe, big_by_hand});
}

}  // namespace bench
