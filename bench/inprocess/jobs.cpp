// A hundred jobs of a millisecond of computation each, of which every one is an actor that one actor spawns: the time until
// all have reported. Two processors can do it in 0.050 s. The yardstick is two threads with half of the jobs each.
#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"
#include "samples.hpp"
#include "work.hpp"

namespace bench {
namespace {

constexpr unsigned jobs = 100;
constexpr std::chrono::milliseconds each_job(1);

/// One round is short: the median of some.
unsigned rounds_of(const setting& how) { return how.quick ? 1 : 15; }

troupe::actor run_job(troupe::self<nothing>, troupe::ref<number> to, std::uint64_t seed,
                      std::uint64_t steps) {
  co_await to.send<number>(static_cast<std::int64_t>(work(seed, steps) & 1));
}
troupe::actor run_jobs(troupe::self<number> me, report done, setting how) {
  const std::uint64_t steps = steps_of(each_job);
  std::vector<double> rounds;
  for (unsigned r = 0; r < rounds_of(how); ++r) {
    std::int64_t sum = 0;
    const auto take = [&](number n) { sum += n.value; };
    const stopwatch watch;
    for (unsigned i = 0; i < jobs; ++i) me.spawn(run_job, me.me(), i, steps);
    for (unsigned i = 0; i < jobs; ++i) (void)co_await me.receive(take);
    rounds.push_back(watch.seconds());
    check(sum > 0 && sum < jobs, "jobs: the sum is wrong");
  }
  done->set_value(quantile(std::move(rounds), 0.5));
}

double jobs_by_hand(const setting& how) {
  const std::uint64_t steps = steps_of(each_job);
  std::vector<double> rounds;
  for (unsigned r = 0; r < rounds_of(how); ++r) {
    std::atomic<std::uint64_t> sum{0};
    const auto do_jobs = [&](unsigned first, unsigned end) {
      for (unsigned i = first; i < end; ++i) sum += work(i, steps) & 1;
    };
    const stopwatch watch;
    std::vector<std::thread> all;
    for (unsigned t = 0; t < how.workers; ++t)
      all.emplace_back(do_jobs, jobs * t / how.workers, jobs * (t + 1) / how.workers);
    for (std::thread& t : all) t.join();
    rounds.push_back(watch.seconds());
    check(sum > 0 && sum < jobs, "jobs: the sum is wrong");
  }
  return quantile(std::move(rounds), 0.5);
}

double by_troupe(const setting& how) { return on_a_node(how, run_jobs); }

}  // namespace

void add_jobs(cases& all) { all.push_back({"jobs", 2, placement::free, "s", by_troupe, jobs_by_hand}); }

}  // namespace bench
