// Selective receive: an actor takes a message of one type from behind a hundred of another.
#include <deque>

#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

constexpr std::uint64_t full_count = 500'000;
constexpr unsigned in_front = 100;

struct other {
  std::int64_t value;
};
using mixed_mail = troupe::protocol<other, number>;

troupe::actor run_chooser(troupe::self<mixed_mail> me, troupe::ref<number> to) {
  for (;;) {
    const auto chosen = co_await me.receive<number>();
    if (!chosen) co_return;
    co_await to.send<number>(chosen->value);
  }
}
troupe::actor run_select(troupe::self<number> me, report done, setting how) {
  const auto chooser = me.spawn(run_chooser, me.me());
  for (unsigned i = 0; i < in_front; ++i) co_await chooser.send<other>(i);
  const std::uint64_t count = how.times(full_count);
  std::int64_t sum = 0;
  const auto take = [&](number n) { sum += n.value; };
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) {
    co_await chooser.send<number>(i);
    (void)co_await me.receive(take);
  }
  const double each = watch.ns_each(count);
  check(sum == sum_below(count), "select: the sum is wrong");
  done->set_value(each);
}

struct letter {
  bool chosen;
  std::int64_t value;
};
/// Both sides in one loop: what is looked for, and taken out, is the same.
double select_by_hand(const setting& how) {
  std::deque<letter> mail;
  for (unsigned i = 0; i < in_front; ++i) mail.push_back({false, i});
  const std::uint64_t count = how.times(full_count);
  std::int64_t sum = 0;
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) {
    mail.push_back({true, static_cast<std::int64_t>(i)});
    const auto found = std::find_if(mail.begin(), mail.end(), [](const letter& l) { return l.chosen; });
    sum += found->value;
    mail.erase(found);
  }
  const double each = watch.ns_each(count);
  check(sum == sum_below(count), "select: the sum is wrong");
  return each;
}

}  // namespace

void add_select(cases& all) {
  all.push_back({"select", 1, placement::free, "ns",
                 [](const setting& how) { return on_a_node(how, run_select); }, select_by_hand});
}

}  // namespace bench
