// One actor asks another again and again, each time with a deadline.
#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

constexpr std::uint64_t full_count = 2'000'000;

struct twice {
  using reply = std::int64_t;
  std::int64_t value;
};

troupe::actor run_doubler(troupe::self<twice> me) {
  co_await me.serve([](twice t) { return 2 * t.value; });
}
troupe::actor run_asker(troupe::self<nothing> me, report done, setting how) {
  const auto doubler = me.spawn(other_place(how), run_doubler);
  const std::uint64_t count = how.times(full_count);
  std::int64_t sum = 0;
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto answer = co_await doubler.ask<twice>(i).within(std::chrono::seconds(1));
    if (answer) sum += *answer;
  }
  const double each = watch.ns_each(count);
  check(sum == 2 * sum_below(count), "ask: the sum is wrong");
  done->set_value(each);
}

using queue = by_hand::mailbox<std::int64_t>;

by_hand::routine double_by_hand(queue& in, queue& out) {
  for (;;) {
    const std::int64_t n = co_await in.pop();
    co_await out.push(2 * n);
  }
}
/// With a deadline in a list of those that are armed: as all are equally long, it is sorted by itself.
by_hand::routine ask_by_hand(queue& in, queue& out, std::uint64_t count, std::int64_t& sum) {
  struct armed {
    armed* before;
    armed* after;
    std::chrono::steady_clock::time_point due;
  };
  armed all{&all, &all, {}};
  for (std::uint64_t i = 0; i < count; ++i) {
    armed mine{all.before, &all, std::chrono::steady_clock::now() + std::chrono::seconds(1)};
    mine.before->after = &mine;
    all.before = &mine;
    co_await out.push(static_cast<std::int64_t>(i));
    sum += co_await in.pop();
    mine.before->after = mine.after;
    mine.after->before = mine.before;
  }
}
double asks_by_hand(const setting& how) {
  const std::uint64_t count = how.times(full_count);
  by_hand::run_list all;
  queue there(all);
  queue back(all);
  std::int64_t sum = 0;
  const stopwatch watch;
  const auto doubler = double_by_hand(there, back);
  const auto asker = ask_by_hand(back, there, count, sum);
  all.run();
  const double each = watch.ns_each(count);
  check(sum == 2 * sum_below(count), "ask: the sum is wrong");
  return each;
}

}  // namespace

void add_ask(cases& all) {
  all.push_back({"ask", 1, placement::free, "ns",
                 [](const setting& how) { return on_a_node(how, run_asker); }, asks_by_hand});
}

}  // namespace bench
