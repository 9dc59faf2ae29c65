// bench_shm: actors in two processes that share memory. The yardstick is a ring between the two, whose sides sleep on a futex
// when they have nothing to do.
#include <atomic>
#include <climits>

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lane_cases.hpp"
#include "packet.hpp"
#include "two_processes.hpp"

namespace bench {
namespace {

/// One writer, one reader; each sleeps on the other's position. It has to look again after it has said that it sleeps.
struct raw_ring {
  static constexpr std::uint32_t room = 4096;
  alignas(128) std::atomic<std::uint32_t> written{0};
  std::atomic<std::uint32_t> reader_sleeps{0};
  alignas(128) std::atomic<std::uint32_t> read{0};
  std::atomic<std::uint32_t> writer_sleeps{0};
  alignas(128) packet items[room];

  static void wait_for_change(std::atomic<std::uint32_t>& of, std::uint32_t from,
                              std::atomic<std::uint32_t>& sleeps) {
    sleeps.store(1);
    if (of.load() == from) syscall(SYS_futex, &of, FUTEX_WAIT, from, nullptr, nullptr, 0);
    sleeps.store(0);
  }
  static void changed(std::atomic<std::uint32_t>& of, std::atomic<std::uint32_t>& sleeps) {
    if (sleeps.load() != 0) syscall(SYS_futex, &of, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }

  /// Publishes each, or what fits into a batch.
  void push(std::int64_t first, std::uint32_t count) {
    std::uint32_t at = written.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < count; ++i, ++at) {
      for (std::uint32_t r = read.load(std::memory_order_acquire); at - r == room; r = read.load())
        wait_for_change(read, r, writer_sleeps);
      items[at % room].value = first + i;
    }
    written.store(at);
    changed(written, reader_sleeps);
  }
  template <class Take>
  void pop_all(Take&& take) {
    std::uint32_t at = read.load(std::memory_order_relaxed);
    std::uint32_t end = written.load(std::memory_order_acquire);
    for (; end == at; end = written.load()) wait_for_change(written, end, reader_sleeps);
    for (; at != end; ++at) take(items[at % room].value);
    read.store(at);
    changed(read, writer_sleeps);
  }
};

struct raw_pair {
  raw_ring there;
  raw_ring back;
};
raw_pair& new_pair() {
  void* const memory =
      mmap(nullptr, sizeof(raw_pair), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  check(memory != MAP_FAILED, "no shared memory");
  return *::new (memory) raw_pair;
}
double raw_pingpong(const setting& how) {
  const std::uint64_t rounds = how.times(full_lane_rounds);
  raw_pair& rings = new_pair();
  const far_side other([&](auto tell) {
    tell("here");
    for (std::uint64_t i = 0; i < rounds; ++i)
      rings.there.pop_all([&](std::int64_t n) { rings.back.push(n, 1); });
  });
  std::int64_t sum = 0;
  const stopwatch watch;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    rings.there.push(static_cast<std::int64_t>(i), 1);
    rings.back.pop_all([&](std::int64_t n) { sum += n; });
  }
  const double each = watch.ns_each(rounds);
  check(sum == sum_below(rounds), "pingpong: the sum is wrong");
  return each;
}

double raw_stream(const setting& how) {
  constexpr std::uint32_t batch = 32;
  const std::uint64_t count = how.times(4 * full_lane_stream) / batch * batch;
  raw_pair& rings = new_pair();
  const far_side other([&](auto tell) {
    tell("here");
    std::int64_t sum = 0;
    std::uint64_t left = count;
    while (left != 0) {
      rings.there.pop_all([&](std::int64_t n) {
        sum += n;
        --left;
      });
    }
    rings.back.push(sum, 1);
  });
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; i += batch) rings.there.push(static_cast<std::int64_t>(i), batch);
  std::int64_t sum = 0;
  rings.back.pop_all([&](std::int64_t n) { sum = n; });
  const double rate = watch.millions_per_second(count);
  check(sum == sum_below(count), "stream: the sum is wrong");
  return rate;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  cases all;
  add_lane_cases(all, troupe::lane_choice::automatic, raw_pingpong, raw_stream);
  return run_group("shm", all, {}, argc, argv);
}
