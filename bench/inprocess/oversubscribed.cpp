// Many pairs talk on four times as many workers as there are processors, while another process keeps one processor busy: their
// messages a second, divided by those of as many workers as processors beside the same process. Below 1, workers that wait
// for others held the processor, or a lock, that those needed.
//
// The two ends of a pair are on neighbouring workers, so that each message is one from worker to worker, and the load is the
// same however the engine places actors. The yardstick is as many threads, each with a queue of its own (a mutex and a
// condition variable) from which it takes all there is: what a server without a runtime does, and what sleeps at once when
// there is nothing to do, which is the best that one can do for others.
#include <condition_variable>
#include <mutex>

#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"
#include "samples.hpp"
#include "two_processes.hpp"

namespace bench {
namespace {

constexpr unsigned workers_a_processor = 4;

unsigned processors() { return std::max(1u, std::thread::hardware_concurrency()); }
/// Two for each worker where there are many of them; as many where there are few.
unsigned pairs() { return 2 * workers_a_processor * processors(); }

struct talk {
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> rounds{0};  // of the pairs that have ended
  std::atomic<unsigned> talking{pairs()};

  /// A pair has; true of the last one.
  bool end_pair(std::uint64_t its_rounds) {
    rounds.fetch_add(its_rounds);
    return talking.fetch_sub(1) == 1;
  }
};

/// Lets them talk for a while; their rounds a second are those until they are told that it is over.
template <class End>
double talk_for_a_while(const setting& how, talk& all, End&& end) {
  const stopwatch watch;
  std::this_thread::sleep_for(how.quick ? std::chrono::milliseconds(100) : std::chrono::milliseconds(500));
  all.over.store(true, std::memory_order_relaxed);
  const double seconds = watch.seconds();
  end();
  const auto rounds = static_cast<double>(all.rounds.load());
  check(rounds > 0, "oversubscribed: nobody has talked");
  return rounds / seconds;
}

troupe::actor run_ping(troupe::self<number> me, troupe::spawn_options neighbour, std::shared_ptr<talk> all) {
  const auto pong = me.spawn(neighbour, run_echo, me.me());
  std::int64_t rounds = 0;
  const auto take = [&](number n) { rounds = n.value; };
  while (!all->over.load(std::memory_order_relaxed)) {
    co_await pong.send<number>(rounds + 1);
    const auto got = co_await me.receive(take);
    if (!got) break;
  }
  all->end_pair(static_cast<std::uint64_t>(rounds));
}
double rate_by_troupe(const setting& how) {
  troupe::node& node = new_node(how);
  const auto all = std::make_shared<talk>();
  for (unsigned i = 0; i < pairs(); ++i) {
    troupe::spawn_options here;
    troupe::spawn_options neighbour;
    here.worker = i % how.workers;
    neighbour.worker = (i + 1) % how.workers;
    node.spawn(here, run_ping, neighbour, all);
  }
  return talk_for_a_while(how, *all, [&] {
    while (all->talking.load() != 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    node.stop();
  });
}

/// What a pair says to its other end: the even ends of pairs ask, the odd ones answer.
struct note {
  unsigned to;
  std::uint64_t rounds;
};
class queue {
 public:
  void push(note n) {
    {
      const std::lock_guard hold(guard_);
      mail_.push_back(n);
    }
    changed_.notify_one();
  }
  /// Waits for some.
  void take_all(std::vector<note>& into) {
    into.clear();
    std::unique_lock hold(guard_);
    changed_.wait(hold, [&] { return !mail_.empty(); });
    mail_.swap(into);
  }

 private:
  std::mutex guard_;
  std::condition_variable changed_;
  std::vector<note> mail_;
};
double rate_by_hand(const setting& how) {
  std::vector<queue> queues(how.workers);
  const auto queue_of = [&](unsigned end) -> queue& { return queues[(end / 2 + end % 2) % how.workers]; };
  talk all;
  constexpr unsigned nobody = ~0u;
  std::vector<std::thread> threads;
  for (queue& mine : queues) {
    threads.emplace_back([&] {
      std::vector<note> mail;
      for (;;) {
        mine.take_all(mail);
        for (const note n : mail) {
          if (n.to == nobody) return;
          if (n.to % 2 == 1) {
            queue_of(n.to - 1).push({n.to - 1, n.rounds + 1});
          } else if (!all.over.load(std::memory_order_relaxed)) {
            queue_of(n.to + 1).push({n.to + 1, n.rounds});
          } else if (all.end_pair(n.rounds)) {
            for (queue& q : queues) q.push({nobody, 0});
          }
        }
      }
    });
  }
  for (unsigned i = 0; i < pairs(); ++i) queue_of(2 * i).push({2 * i, 0});
  return talk_for_a_while(how, all, [&] {
    for (std::thread& t : threads) t.join();
  });
}

double many_over_few(const setting& how, bench_case::measure rate) {
  const far_side busy([](auto tell) {
    tell("here");
    for (std::atomic<bool> always{true}; always.load();) {
    }
  });
  setting few = how;
  few.workers = how.workers / workers_a_processor;
  std::vector<double> with_many;
  std::vector<double> with_few;
  for (unsigned i = 0; i < (how.quick ? 1 : 3); ++i) {  // in turn: a slow phase of the machine meets both
    with_many.push_back(rate(how));
    with_few.push_back(rate(few));
  }
  return quantile(with_many, 0.5) / quantile(with_few, 0.5);
}

}  // namespace

void add_oversubscribed(cases& all) {
  all.push_back({"oversubscribed", workers_a_processor * processors(), placement::pinned, "x",
                 [](const setting& how) { return many_over_few(how, rate_by_troupe); },
                 [](const setting& how) { return many_over_few(how, rate_by_hand); }});
}

}  // namespace bench
