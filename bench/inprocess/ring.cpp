// A token goes round a ring of 100 actors; it carries the hops that are left.
#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

constexpr std::uint64_t full_hops = 5'000'000;
constexpr unsigned members = 100;

troupe::actor run_member(troupe::self<number> me, troupe::ref<number> next) {
  std::int64_t left = 0;
  const auto take = [&](number n) { left = n.value; };
  for (;;) {
    const auto got = co_await me.receive(take);
    if (!got) co_return;
    co_await next.send<number>(left - 1);
  }
}

troupe::actor run_ring(troupe::self<number> me, report done, setting how) {
  troupe::ref<number> next = me.me();
  for (unsigned i = 1; i < members; ++i) next = me.spawn(run_member, next);
  const auto hops = static_cast<std::int64_t>(how.times(full_hops) / members * members);
  std::int64_t left = hops;
  const auto take = [&](number n) { left = n.value; };
  const stopwatch watch;
  while (left > 0) {
    co_await next.send<number>(left - 1);
    (void)co_await me.receive(take);
  }
  const double each = watch.ns_each(static_cast<std::uint64_t>(hops));
  check(left == 0, "ring: hops are missing");
  done->set_value(each);
}

using queue = by_hand::mailbox<std::int64_t, 16>;

by_hand::routine pass_by_hand(queue& in, queue& out) {
  for (;;) {
    const std::int64_t left = co_await in.pop();
    co_await out.push(left - 1);
  }
}
by_hand::routine begin_by_hand(queue& in, queue& out, std::int64_t& left) {
  while (left > 0) {
    co_await out.push(left - 1);
    left = co_await in.pop();
  }
}
double ring_by_hand(const setting& how) {
  const std::uint64_t hops = how.times(full_hops) / members * members;
  by_hand::run_list all;
  std::vector<std::unique_ptr<queue>> between;
  for (unsigned i = 0; i < members; ++i) between.push_back(std::make_unique<queue>(all));
  std::vector<by_hand::routine> passing;
  for (unsigned i = 1; i < members; ++i) passing.push_back(pass_by_hand(*between[i - 1], *between[i]));
  auto left = static_cast<std::int64_t>(hops);
  const stopwatch watch;
  const auto first = begin_by_hand(*between[members - 1], *between[0], left);
  all.run();
  const double each = watch.ns_each(hops);
  check(left == 0, "ring: hops are missing");
  return each;
}

double by_troupe(const setting& how) { return on_a_node(how, run_ring); }

}  // namespace

void add_ring(cases& all) {
  all.push_back({"ring", 1, placement::free, "ns", by_troupe, ring_by_hand});
  all.push_back({"ring", 2, placement::free, "ns", by_troupe, ring_by_hand});
}

}  // namespace bench
