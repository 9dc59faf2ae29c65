// Work that needs the processor, in many actors that one actor spawns and that talk to nobody: how many times faster two
// workers do it than one. The yardstick is the same with threads.
#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"
#include "work.hpp"

namespace bench {
namespace {

constexpr unsigned jobs = 400;
constexpr std::uint64_t full_steps = 1'000'000;  // of a job: about a millisecond

troupe::actor run_job(troupe::self<nothing>, troupe::ref<number> to, std::uint64_t seed,
                      std::uint64_t steps) {
  co_await to.send<number>(static_cast<std::int64_t>(work(seed, steps) & 1));
}
troupe::actor run_jobs(troupe::self<number> me, report done, setting how) {
  const std::uint64_t steps = how.times(full_steps);
  std::int64_t sum = 0;
  const auto take = [&](number n) { sum += n.value; };
  const stopwatch watch;
  for (unsigned i = 0; i < jobs; ++i) me.spawn(run_job, me.me(), i, steps);
  for (unsigned i = 0; i < jobs; ++i) (void)co_await me.receive(take);
  const double seconds = watch.seconds();
  check(sum > 0 && sum < jobs, "cpu: the sum is wrong");
  done->set_value(seconds);
}
double by_troupe(const setting& how) {
  setting one = how;
  one.workers = 1;
  const double alone = on_a_node(one, run_jobs);
  return alone / on_a_node(how, run_jobs);
}

double seconds_by_hand(const setting& how, unsigned threads) {
  const std::uint64_t steps = how.times(full_steps);
  std::atomic<unsigned> next{0};
  std::atomic<std::uint64_t> sum{0};
  const stopwatch watch;
  std::vector<std::thread> all;
  for (unsigned t = 0; t < threads; ++t) {
    all.emplace_back([&] {
      for (unsigned i = next.fetch_add(1); i < jobs; i = next.fetch_add(1)) sum += work(i, steps) & 1;
    });
  }
  for (std::thread& t : all) t.join();
  const double seconds = watch.seconds();
  check(sum > 0 && sum < jobs, "cpu: the sum is wrong");
  return seconds;
}
double by_threads(const setting& how) { return seconds_by_hand(how, 1) / seconds_by_hand(how, how.workers); }

}  // namespace

void add_cpu(cases& all) { all.push_back({"cpu", 2, placement::free, "x", by_troupe, by_threads}); }

}  // namespace bench
