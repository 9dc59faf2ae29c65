// A timer is armed and cancelled while so many others are armed. The cost must not depend on how many.
#include <map>
#include <string>

#include "inprocess_cases.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

constexpr std::uint64_t full_count = 2'000'000;

/// When the i-th of the others is due: far away, and spread over a day.
std::chrono::milliseconds due(std::uint64_t i) {
  return std::chrono::hours(1) + std::chrono::milliseconds(i * 7919 % 86'400'000);
}

troupe::actor run_timers(troupe::self<number> me, report done, setting how, std::uint64_t others) {
  for (std::uint64_t i = 0; i < others; ++i) me.send_after<number>(due(i), me.me(), 1);
  const std::uint64_t count = how.times(full_count);
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto armed = me.send_after<number>(std::chrono::seconds(1), me.me(), i);
    me.cancel(armed);
  }
  done->set_value(watch.ns_each(count));
  co_return;
}

double timers_by_hand(const setting& how, std::uint64_t others) {
  using clock = std::chrono::steady_clock;
  std::multimap<clock::time_point, std::int64_t> armed;
  const auto start = clock::now();
  for (std::uint64_t i = 0; i < others; ++i) armed.emplace(start + due(i), 1);
  const std::uint64_t count = how.times(full_count);
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto mine = armed.emplace(clock::now() + std::chrono::seconds(1), static_cast<std::int64_t>(i));
    armed.erase(mine);
  }
  const double each = watch.ns_each(count);
  check(armed.size() == others, "timer: some are gone");
  return each;
}

void add(cases& all, const std::string& name, std::uint64_t others) {
  all.push_back({name, 1, placement::free, "ns",
                 [others](const setting& how) { return on_a_node(how, run_timers, others); },
                 [others](const setting& how) { return timers_by_hand(how, others); }, others});
}

}  // namespace

void add_timer(cases& all) {
  add(all, "timer", 10);
  for (const std::uint64_t others : {1'000u, 100'000u, 1'000'000u})
    add(all, "timer_" + std::to_string(others), others);
}

}  // namespace bench
