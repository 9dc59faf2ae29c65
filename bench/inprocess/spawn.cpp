// Actors that are spawned, run once and wait for ever: the time that takes, first touch of their memory included, and the
// memory that the process has more of then. Neither may grow with their number.
#include <atomic>
#include <string>

#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "memory.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

std::atomic<std::uint64_t> begun{0};  // relaxed: workers count, the first actor looks

troupe::actor run_idle(troupe::self<number> me) {
  begun.fetch_add(1, std::memory_order_relaxed);
  co_await me.serve([](number) {});
}

troupe::actor run_spawner(troupe::self<nothing> me, report done, setting, std::uint64_t count, bool memory) {
  const double before = resident_bytes();
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) me.spawn(run_idle);
  while (begun.load(std::memory_order_relaxed) != count) co_await me.sleep(std::chrono::microseconds(1));
  const double each = watch.ns_each(count);
  done->set_value(memory ? (resident_bytes() - before) / static_cast<double>(count) : each);
  co_await me.sleep(std::chrono::hours(1));  // its end would be theirs
}

/// Coroutines that have begun and wait for a number in a queue of their own with room for as many as a mailbox has.
by_hand::routine wait_by_hand(by_hand::run_list::entry& number_comes, std::uint64_t& so_far) {
  struct awaiter {
    by_hand::run_list::entry& entry;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> frame) const noexcept { entry.frame = frame; }
    void await_resume() const noexcept {}
  };
  ++so_far;
  for (;;) co_await awaiter{number_comes};
}
double by_hand_too(std::uint64_t count, bool memory) {
  struct waiting {
    by_hand::run_list::entry entry;
    by_hand::routine frame;
    std::uint64_t first = 0;  // of a queue that has no memory while it is empty
    std::uint64_t last = 0;
  };
  const double before = resident_bytes();
  std::uint64_t so_far = 0;
  const stopwatch watch;
  std::vector<std::unique_ptr<waiting[]>> chunks;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i % 256 == 0) chunks.push_back(std::make_unique<waiting[]>(256));
    waiting& w = chunks.back()[i % 256];
    w.frame = wait_by_hand(w.entry, so_far);
  }
  const double each = watch.ns_each(count);
  check(so_far == count, "spawn: not all have begun");
  return memory ? (resident_bytes() - before) / static_cast<double>(count) : each;
}

/// However quick: the memory of a few may be there already.
std::uint64_t count_of(const setting& how, std::uint64_t full, bool memory) {
  return std::max<std::uint64_t>(how.times(full), memory ? 10'000 : 1);
}

void add(cases& all, const std::string& name, std::uint64_t full, bool memory) {
  all.push_back(
      {name, 1, placement::free, memory ? "B" : "ns",
       [=](const setting& how) { return on_a_node(how, run_spawner, count_of(how, full, memory), memory); },
       [=](const setting& how) { return by_hand_too(count_of(how, full, memory), memory); }, full});
}

}  // namespace

void add_spawn(cases& all) {
  add(all, "spawn", 1'000'000, false);
  for (const std::uint64_t n : {1'000u, 10'000u, 100'000u, 10'000'000u})
    add(all, "spawn_" + std::to_string(n), n, false);
  add(all, "idle_bytes", 1'000'000, true);
  for (const std::uint64_t n : {10'000u, 100'000u, 10'000'000u})
    add(all, "idle_bytes_" + std::to_string(n), n, true);
}

}  // namespace bench
