// A worker that has slept for long is woken by a message: the time from the send, by an actor on another worker, until the
// handler runs. The yardstick is a thread that waits in read() on an eventfd, which another writes to. The
// kernel chooses the processors of all of them.
//
// Between two wakes everybody is idle for longer than anybody spins. That the woken thread has slept is taken from the kernel,
// which counts how often a thread gave its processor away; a time of one that had not slept is left out.
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"
#include "samples.hpp"

namespace bench {
namespace {

constexpr std::uint64_t full_wakes = 500;
constexpr std::chrono::milliseconds idle(4);

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

/// The times of a thread that is woken, taken by itself.
class wake_times {
 public:
  void woken(std::int64_t sent) {
    const std::int64_t took = now_ns() - sent;
    rusage used{};
    getrusage(RUSAGE_THREAD, &used);
    if (used.ru_nvcsw != sleeps_) times_.push_back(static_cast<double>(took));
    sleeps_ = used.ru_nvcsw;
  }
  double median(std::uint64_t wakes) const {
    check(times_.size() >= (wakes + 1) / 2, "wake: the thread does not sleep");
    return quantile(times_, 0.5);
  }

 private:
  std::vector<double> times_;
  long sleeps_ = 0;
};

struct stamp {
  std::int64_t sent;
};
struct median_of {
  using reply = double;
  std::uint64_t wakes;
};
using sleeper = troupe::protocol<stamp, median_of>;

/// Tells that it is awake, so that it is idle again before the next comes.
troupe::actor run_sleeper(troupe::self<sleeper> me, troupe::ref<number> waker) {
  wake_times times;
  const auto wake = [&](stamp s) -> troupe::task<void> {
    times.woken(s.sent);
    co_await waker.send<number>(s.sent);
  };
  co_await me.serve(wake, [&](median_of m) { return times.median(m.wakes); });
}
troupe::actor run_waker(troupe::self<number> me, report done, setting how) {
  const auto other = me.spawn(other_place(how), run_sleeper, me.me());
  const std::uint64_t wakes = how.times(full_wakes);
  const auto hear = [](number) {};
  for (std::uint64_t i = 0; i < wakes; ++i) {
    co_await me.sleep(idle);
    co_await other.send<stamp>(now_ns());
    (void)co_await me.receive(hear);
  }
  const auto median = co_await other.ask<median_of>(wakes);
  check(median.has_value(), "wake: no answer");
  done->set_value(*median);
}

double wake_by_hand(const setting& how) {
  const std::uint64_t wakes = how.times(full_wakes);
  const int bell = eventfd(0, EFD_SEMAPHORE);  // two rings are two wakes, however late the thread is
  check(bell >= 0, "no eventfd");
  std::atomic<std::int64_t> sent{0};
  wake_times times;
  std::thread sleeping([&] {
    for (std::uint64_t i = 0; i < wakes; ++i) {
      std::uint64_t rung = 0;
      check(read(bell, &rung, sizeof rung) == sizeof rung, "the bell is broken");
      times.woken(sent.load());
    }
  });
  const std::uint64_t once = 1;
  for (std::uint64_t i = 0; i < wakes; ++i) {
    std::this_thread::sleep_for(idle);
    sent.store(now_ns());
    check(write(bell, &once, sizeof once) == sizeof once, "the bell is broken");
  }
  sleeping.join();
  close(bell);
  return times.median(wakes);
}

double by_troupe(const setting& how) { return on_a_node(how, run_waker); }

}  // namespace

void add_wake(cases& all) { all.push_back({"wake", 2, placement::pinned, "ns", by_troupe, wake_by_hand}); }

}  // namespace bench
