// An actor answers asks while another one of its worker is flooded: how long an answer takes, but for one in a hundred. The
// yardstick is a loop with two queues, which takes at most 64 from the flooded one before it looks into the other.
//
// Who asks is no actor but a thread: a second worker for it would be one more to which the flood could go, and a place on the
// flooded worker would make the asker wait for its own turn as well. It sleeps while it waits, here and by hand.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"
#include "samples.hpp"

namespace bench {
namespace {

constexpr std::uint64_t full_asks = 5'000;
constexpr unsigned flooders = 4;
constexpr double slowest = 0.99;
constexpr std::chrono::microseconds pause_between(100);  // else the answer before would say when one asks

/// ask(i) gives 2 * i.
template <class Ask>
double time_asks(const setting& how, Ask&& ask) {
  const std::uint64_t asks = how.times(full_asks);
  std::vector<double> times;
  std::int64_t sum = 0;
  for (std::uint64_t i = 0; i < asks; ++i) {
    std::this_thread::sleep_for(pause_between);
    const stopwatch watch;
    sum += ask(static_cast<std::int64_t>(i));
    times.push_back(watch.ns_each(1));
  }
  check(sum == 2 * sum_below(asks), "flood: the sum is wrong");
  return quantile(std::move(times), slowest);
}

struct twice {
  using reply = std::int64_t;
  std::int64_t value;
};
troupe::actor run_doubler(troupe::self<twice> me) {
  co_await me.serve([](twice t) { return 2 * t.value; });
}
troupe::actor run_flooder(troupe::self<nothing>, troupe::ref<number> to) {
  for (;;) co_await to.send<number>(1);
}

double flooded(const setting& how) {
  troupe::node& node = new_node(how);
  const auto doubler = node.spawn(run_doubler);
  const auto sink = node.spawn(run_sum);
  for (unsigned i = 0; i < flooders; ++i) node.spawn(run_flooder, sink);
  const double p99 = time_asks(how, [&](std::int64_t i) {
    const auto answer = doubler.blocking_ask<twice>(std::chrono::minutes(1), i);
    return answer ? *answer : 0;
  });
  const auto sum = sink.blocking_ask<total>(std::chrono::minutes(1));
  check(sum && *sum > static_cast<std::int64_t>(how.times(full_asks)), "flood: there was none");
  return p99;
}

/// A number for another thread, which sleeps until it is there.
class slot {
 public:
  void put(std::int64_t n) {
    {
      const std::lock_guard hold(guard_);
      item_ = n;
    }
    changed_.notify_one();
  }
  std::optional<std::int64_t> poll() {
    const std::lock_guard hold(guard_);
    return std::exchange(item_, std::nullopt);
  }
  std::int64_t take() {
    std::unique_lock hold(guard_);
    changed_.wait(hold, [&] { return item_.has_value(); });
    return *std::exchange(item_, std::nullopt);
  }

 private:
  std::mutex guard_;
  std::condition_variable changed_;
  std::optional<std::int64_t> item_;
};

/// Sends as many as there is room for, takes at most 64, and looks whether somebody asks.
class flooded_loop {
 public:
  void run() {
    while (!over_.load(std::memory_order_relaxed)) {
      while (mail_.size() < 1024) mail_.push_back(1);
      for (unsigned i = 0; i < 64; ++i) {
        sum_ += mail_.front();
        mail_.pop_front();
      }
      if (const auto n = question_.poll()) answer_.put(2 * *n);
    }
  }
  std::int64_t ask(std::int64_t n) {
    question_.put(n);
    return answer_.take();
  }
  void stop() { over_.store(true, std::memory_order_relaxed); }
  std::int64_t sum() const { return sum_; }

 private:
  std::deque<std::int64_t> mail_;
  std::int64_t sum_ = 0;
  slot question_;
  slot answer_;
  std::atomic<bool> over_{false};
};
double flooded_by_hand(const setting& how) {
  flooded_loop loop;
  std::thread worker([&] { loop.run(); });
  const double p99 = time_asks(how, [&](std::int64_t i) { return loop.ask(i); });
  loop.stop();
  worker.join();
  check(loop.sum() > static_cast<std::int64_t>(how.times(full_asks)), "flood: there was none");
  return p99;
}

}  // namespace

void add_flood(cases& all) { all.push_back({"flood", 1, placement::free, "ns", flooded, flooded_by_hand}); }

}  // namespace bench
