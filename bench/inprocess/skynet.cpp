// A tree of actors, ten children each, with a million leaves: a leaf tells its number, everybody else the sum.
#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

constexpr std::uint64_t full_leaves = 1'000'000;
constexpr unsigned children = 10;

troupe::actor run_skynet(troupe::self<number> me, troupe::ref<number> parent, std::uint64_t first,
                         std::uint64_t leaves) {
  if (leaves == 1) {
    co_await parent.send<number>(first);
    co_return;
  }
  for (unsigned i = 0; i < children; ++i)
    me.spawn(run_skynet, me.me(), first + i * (leaves / children), leaves / children);
  std::int64_t sum = 0;
  const auto take = [&](number n) { sum += n.value; };
  for (unsigned i = 0; i < children; ++i) (void)co_await me.receive(take);
  co_await parent.send<number>(sum);
}

troupe::actor run_top(troupe::self<number> me, report done, setting how) {
  const std::uint64_t leaves = how.times(full_leaves);
  std::int64_t sum = 0;
  const auto take = [&](number n) { sum = n.value; };
  const stopwatch watch;
  me.spawn(run_skynet, me.me(), std::uint64_t{0}, leaves);
  (void)co_await me.receive(take);
  const double seconds = watch.seconds();
  check(sum == sum_below(leaves), "skynet: the sum is wrong");
  done->set_value(seconds);
}

/// A node of the tree; it lives until its children have told.
struct member {
  member* parent;
  std::int64_t sum;
  unsigned missing;
};
struct task {
  member* parent;
  std::uint64_t first;
  std::uint64_t leaves;
};
double skynet_by_hand(const setting& how) {
  const std::uint64_t leaves = how.times(full_leaves);
  const stopwatch watch;
  member top{nullptr, 0, 1};
  std::vector<task> stack;
  stack.push_back({&top, 0, leaves});
  while (!stack.empty()) {
    const task t = stack.back();
    stack.pop_back();
    auto* m = new member{t.parent, 0, children};
    if (t.leaves != 1) {
      for (unsigned i = 0; i < children; ++i)
        stack.push_back({m, t.first + i * (t.leaves / children), t.leaves / children});
      continue;
    }
    m->sum = static_cast<std::int64_t>(t.first);
    for (m->missing = 0; m != &top && m->missing == 0;) {
      member* const parent = m->parent;
      parent->sum += m->sum;
      --parent->missing;
      delete m;
      m = parent;
    }
  }
  const double seconds = watch.seconds();
  check(top.sum == sum_below(leaves), "skynet: the sum is wrong");
  return seconds;
}

double by_troupe(const setting& how) { return on_a_node(how, run_top); }

}  // namespace

void add_skynet(cases& all) {
  all.push_back({"skynet", 1, placement::free, "s", by_troupe, skynet_by_hand});
  all.push_back({"skynet", 2, placement::free, "s", by_troupe, skynet_by_hand});
}

}  // namespace bench
