// Ten times more messages than an actor can take, under each policy that sheds: memory, what is counted, and how long
// control takes compared with the same actor at rest.
//
//   bench_overload [SECONDS]      of overload per policy, and as many at rest and of the yardstick; 60
//
// A p99 is the median of those of the run's stretches of 6 s, with the least and the most.
//
// The sink takes some 10 us a message; a pacer on the other worker aims at twelve times as many. Control is sampled
// every 20 ms: a kill of the sink, until its coroutine is destroyed, and until its DOWN (a new one takes its place); and
// before that an ask of high priority.
//
// The yardstick is the same without the runtime: a thread that works in steps of 10 us and looks at a flag between
// them. Another, which is as busy as the pacer, raises it every 20 ms and sleeps until it is answered: a kill is seen,
// an ask and a DOWN are answered. What its p99 shows is the machine's, not ours.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <troupe/troupe.hpp>

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace overload {

struct load {
  std::uint64_t number;
};
struct probe {
  using reply = std::uint64_t;
  static constexpr auto priority = troupe::priority::high;
};
using sink = troupe::protocol<load, probe>;

constexpr auto work = 10us;
constexpr auto sampling = 20ms;
constexpr auto pace = 10us;

void work_for(clock_type::duration d) {
  const auto until = clock_type::now() + d;
  while (clock_type::now() < until) {
  }
}

struct tally {
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> taken{0};
  std::atomic<bool> over{false};
  std::atomic<clock_type::rep> ended{0};  // the last sink's coroutine
};
using shared_tally = std::shared_ptr<tally>;

/// Notes when the coroutine that holds it is destroyed.
struct last_will {
  explicit last_will(shared_tally t) : all(std::move(t)) {}
  last_will(const last_will&) = delete;
  last_will& operator=(const last_will&) = delete;
  ~last_will() { all->ended.store(clock_type::now().time_since_epoch().count()); }
  shared_tally all;
};

troupe::actor run_sink(troupe::self<sink> me, shared_tally all) {
  const last_will will(all);
  co_await me.serve(
      [&](load) {
        work_for(work);
        all->taken.fetch_add(1, std::memory_order_relaxed);
      },
      [](probe) { return std::uint64_t{1}; });
}

struct aim {
  using reply = void;
  troupe::ref<sink> at;
};
troupe::actor run_pacer(troupe::self<aim> me, shared_tally all) {
  troupe::ref<sink> target;
  auto last = clock_type::now();
  while (!me.stopping()) {
    const auto fresh = [&](const aim& next) { target = next.at; };
    (void)co_await me.receive(fresh).within(pace);
    const auto now = clock_type::now();
    // However late the timer is: the control actor waits behind this.
    const auto due = std::min<std::int64_t>(12 * (now - last) / work, 150);
    last = now;
    for (std::int64_t i = 0; i < due && target; ++i) {
      const auto sent = target.try_send<load>(static_cast<std::uint64_t>(i));
      (sent ? all->sent : all->refused).fetch_add(1, std::memory_order_relaxed);
    }
  }
}

using microseconds = std::vector<double>;
struct samples {
  microseconds kills;
  microseconds downs;
  microseconds asks;
};
double since(clock_type::time_point start) {
  return std::chrono::duration<double, std::micro>(clock_type::now() - start).count();
}

using control_protocol = troupe::protocol<troupe::down>;
troupe::actor run_control(troupe::self<control_protocol> me, troupe::spawn_options options,
                          troupe::ref<aim> pacer, shared_tally all, std::shared_ptr<samples> out) {
  while (!all->over.load()) {
    const auto target = me.spawn(options, run_sink, all);
    me.monitor(target);
    if (pacer) (void)co_await pacer.ask<aim>(target);
    co_await me.sleep(sampling);
    auto start = clock_type::now();
    const auto answer = co_await target.ask<probe>();
    if (answer) out->asks.push_back(since(start));
    start = clock_type::now();
    me.node().kill(target);
    (void)co_await me.receive<troupe::down>();
    out->downs.push_back(since(start));
    const clock_type::time_point ended(clock_type::duration(all->ended.load()));
    out->kills.push_back(std::chrono::duration<double, std::micro>(ended - start).count());
  }
}

struct bare_samples {
  microseconds seen;      // from the moment when the flag is raised to the one when it is seen
  microseconds answered;  // until whoever raised it, and slept, goes on
};
bare_samples yardstick(std::chrono::seconds length) {
  std::atomic<clock_type::rep> raised{0};
  std::atomic<bool> answer{false};
  std::atomic<bool> over{false};
  bare_samples all;
  std::thread worker([&] {
    while (!over.load(std::memory_order_relaxed)) {
      work_for(work);
      const clock_type::rep at = raised.exchange(0);
      if (at == 0) continue;
      all.seen.push_back(since(clock_type::time_point(clock_type::duration(at))));
      answer.store(true);
      answer.notify_one();
    }
  });
  const auto end = clock_type::now() + length;
  for (auto next = clock_type::now() + sampling; next < end; next += sampling) {
    while (clock_type::now() < next) {
      std::this_thread::sleep_for(65us);
      work_for(20us);
    }
    const auto start = clock_type::now();
    raised.store(start.time_since_epoch().count());
    answer.wait(false);
    all.answered.push_back(since(start));
    answer.store(false);
  }
  over.store(true);
  worker.join();
  return all;
}

double percentile(microseconds all, double p) {
  if (all.empty()) return 0;
  std::sort(all.begin(), all.end());
  return all[std::min(all.size() - 1, static_cast<std::size_t>(p * static_cast<double>(all.size())))];
}

double resident_mib() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  in >> size >> resident;
  return static_cast<double>(resident) * 4096 / (1 << 20);
}

struct result {
  samples control;
  double least_mib = 0;
  double most_mib = 0;
};

result run(troupe::overflow policy, bool loaded, std::chrono::seconds length) {
  const auto all = std::make_shared<tally>();
  const auto out = std::make_shared<samples>();
  result r;
  troupe::accounting books;
  {
    auto node = troupe::node::start({.name = "overload", .workers = 2});
    if (!node) {
      std::fprintf(stderr, "%s\n", node.error().text.c_str());
      std::exit(1);
    }
    troupe::ref<aim> pacer;
    if (loaded) pacer = node->spawn({.worker = 0}, run_pacer, all);
    const troupe::spawn_options of_sinks{.when_full = policy, .worker = 1};
    node->spawn({.worker = 0}, run_control, of_sinks, pacer, all, out);
    for (auto second = 0s; second < length; ++second) {
      std::this_thread::sleep_for(1s);
      const double now = resident_mib();
      if (second == std::min(5s, length / 2)) r.least_mib = r.most_mib = now;
      r.least_mib = std::min(r.least_mib, now);
      r.most_mib = std::max(r.most_mib, now);
    }
    all->over.store(true);
    while (node->live_actors() > (loaded ? 2u : 1u)) std::this_thread::sleep_for(1ms);  // the control ends
    node->stop();
    books = node->accounting();
  }
  r.control = *out;
  if (!loaded) return r;
  const auto dead = [&](troupe::errc why) { return books.undelivered[static_cast<std::size_t>(why)]; };
  const std::uint64_t shed = dead(troupe::errc::shed);
  const std::uint64_t with_the_killed = dead(troupe::errc::no_such_actor) + dead(troupe::errc::stopped);
  const std::uint64_t sent = all->sent.load();
  const std::uint64_t taken = all->taken.load();
  const std::uint64_t sum = taken + shed + with_the_killed;
  const char* const name = policy == troupe::overflow::reject        ? "reject"
                           : policy == troupe::overflow::drop_newest ? "drop_newest"
                                                                     : "drop_oldest";
  std::printf(
      "%-12s accepted %llu = taken %llu + shed %llu + in the mailboxes of the killed %llu: %s; refused %llu; "
      "books %s; %.1f x what was taken\n",
      name, static_cast<unsigned long long>(sent), static_cast<unsigned long long>(taken),
      static_cast<unsigned long long>(shed), static_cast<unsigned long long>(with_the_killed),
      sum == sent ? "exact" : "NOT EXACT", static_cast<unsigned long long>(all->refused.load()),
      books.balanced() ? "balanced" : "NOT BALANCED",
      static_cast<double>(sent + all->refused.load()) / static_cast<double>(taken));
  std::printf("%-12s resident %.1f to %.1f MiB after the first seconds\n", "", r.least_mib, r.most_mib);
  return r;
}

struct spread {
  double median;
  double least;
  double most;
};
/// p99 of each of `parts` stretches of the run: one stretch in which the machine was busy elsewhere does not make the median.
spread p99(const microseconds& all, std::size_t parts) {
  microseconds each;
  for (std::size_t i = 0; i < parts; ++i) {
    const auto at = [&](std::size_t part) {
      return all.begin() + static_cast<std::ptrdiff_t>(part * all.size() / parts);
    };
    each.push_back(percentile(microseconds(at(i), at(i + 1)), 0.99));
  }
  std::sort(each.begin(), each.end());
  return {percentile(each, 0.5), each.front(), each.back()};
}

void compare(const char* what, const microseconds& idle, const microseconds& loaded, std::size_t parts) {
  const spread a = p99(idle, parts);
  const spread b = p99(loaded, parts);
  std::printf(
      "%-12s %s: p50 %.1f us at rest, %.1f us overloaded; p99 %.1f us (%.1f to %.1f) and %.1f us (%.1f to "
      "%.1f): "
      "%.2f x (%zu and %zu samples)\n",
      "", what, percentile(idle, 0.5), percentile(loaded, 0.5), a.median, a.least, a.most, b.median, b.least,
      b.most, b.median / a.median, idle.size(), loaded.size());
}

void show(const char* what, const microseconds& bare, std::size_t parts) {
  const spread of = p99(bare, parts);
  std::printf("%-12s yardstick, %s: p50 %.1f us; p99 %.1f us (%.1f to %.1f) (%zu samples)\n", "", what,
              percentile(bare, 0.5), of.median, of.least, of.most, bare.size());
}

}  // namespace overload

int main(int argc, char** argv) {
  using namespace overload;
  const std::chrono::seconds length(argc > 1 ? std::max(2, std::atoi(argv[1])) : 60);
  const auto parts = static_cast<std::size_t>(std::max<std::int64_t>(1, length / 6s));
  for (const auto policy :
       {troupe::overflow::drop_oldest, troupe::overflow::drop_newest, troupe::overflow::reject}) {
    const result idle = run(policy, false, length);
    const result loaded = run(policy, true, length);
    compare("kill", idle.control.kills, loaded.control.kills, parts);
    compare("kill to DOWN", idle.control.downs, loaded.control.downs, parts);
    compare("urgent ask", idle.control.asks, loaded.control.asks, parts);
    const bare_samples bare = yardstick(length);
    show("seen", bare.seen, parts);
    show("answered", bare.answered, parts);
  }
}
