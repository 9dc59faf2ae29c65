// bench_shm: actors in two processes that share memory. The yardstick is a ring between the two, whose sides spin, or
// sleep on a futex when they have nothing to do.
#include <algorithm>
#include <atomic>
#include <climits>
#include <cstring>
#include <thread>
#include <vector>

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lane_cases.hpp"
#include "packet.hpp"
#include "two_processes.hpp"

namespace bench {
namespace {

/// One writer, one reader, items of one size that begin with a number. Whoever finds nothing to do spins, or sleeps on the
/// other's position; it has to look again after it has said that it sleeps.
class raw_ring {
 public:
  /// Before the processes part.
  raw_ring(std::size_t item, bool sleeps)
      : item_(item),
        room_(static_cast<std::uint32_t>(std::clamp<std::size_t>(most_bytes / item, 8, 4096))),
        sleeps_(sleeps) {
    void* const memory = mmap(nullptr, sizeof(positions) + item_ * room_, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(memory != MAP_FAILED, "no shared memory");
    at_ = ::new (memory) positions;
    items_ = static_cast<std::byte*>(memory) + sizeof(positions);
  }

  /// Publishes them together. Each is a copy of `data` with a number of its own.
  void push(std::int64_t first, std::uint32_t count, const std::byte* data) {
    std::uint32_t at = at_->written.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < count; ++i, ++at) {
      for (std::uint32_t r = at_->read.load(std::memory_order_acquire); at - r == room_; r = at_->read.load())
        wait_for_change(at_->read, r, at_->writer_sleeps);
      std::byte* const to = items_ + std::size_t{at % room_} * item_;
      const std::int64_t number = first + i;
      std::memcpy(to, &number, sizeof number);
      std::memcpy(to + sizeof number, data, item_ - sizeof number);
    }
    at_->written.store(at);
    changed(at_->written, at_->reader_sleeps);
  }
  /// Copies each to `into`, and calls take(number).
  template <class Take>
  void pop_all(std::byte* into, Take&& take) {
    std::uint32_t at = at_->read.load(std::memory_order_relaxed);
    std::uint32_t end = at_->written.load(std::memory_order_acquire);
    for (; end == at; end = at_->written.load()) wait_for_change(at_->written, end, at_->reader_sleeps);
    for (; at != end; ++at) {
      std::int64_t number = 0;
      std::memcpy(into, items_ + std::size_t{at % room_} * item_, item_);
      std::memcpy(&number, into, sizeof number);
      take(number);
    }
    at_->read.store(at);
    changed(at_->read, at_->writer_sleeps);
  }

 private:
  static constexpr std::size_t most_bytes = 8 << 20;
  struct positions {
    alignas(128) std::atomic<std::uint32_t> written{0};
    std::atomic<std::uint32_t> reader_sleeps{0};
    alignas(128) std::atomic<std::uint32_t> read{0};
    std::atomic<std::uint32_t> writer_sleeps{0};
  };

  void wait_for_change(std::atomic<std::uint32_t>& of, std::uint32_t from,
                       std::atomic<std::uint32_t>& sleeps) const {
    if (!sleeps_) return __builtin_ia32_pause();
    sleeps.store(1);
    if (of.load() == from) syscall(SYS_futex, &of, FUTEX_WAIT, from, nullptr, nullptr, 0);
    sleeps.store(0);
  }
  void changed(std::atomic<std::uint32_t>& of, std::atomic<std::uint32_t>& sleeps) const {
    if (sleeps_ && sleeps.load() != 0) syscall(SYS_futex, &of, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }

  std::size_t item_;
  std::uint32_t room_;
  bool sleeps_;
  positions* at_;
  std::byte* items_;
};

double raw_rtt(std::uint64_t rounds, bool sleeps) {
  raw_ring there(sizeof(packet), sleeps);
  raw_ring back(sizeof(packet), sleeps);
  const far_side other([&](auto tell) {
    tell("here");
    std::byte p[sizeof(packet)]{};
    for (;;) there.pop_all(p, [&](std::int64_t n) { back.push(n, 1, p); });
  });
  std::byte p[sizeof(packet)]{};
  std::int64_t sum = 0;
  double ns = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    if (sleeps) std::this_thread::sleep_for(asleep_after);
    const stopwatch watch;
    there.push(static_cast<std::int64_t>(i), 1, p);
    back.pop_all(p, [&](std::int64_t n) { sum += n; });
    ns += watch.ns_each(1);
  }
  check(sum == sum_below(rounds), "rtt: the sum is wrong");
  return ns / static_cast<double>(rounds);
}

double raw_oneway(std::size_t bytes, std::uint64_t count, std::uint32_t batch) {
  count -= count % batch;
  raw_ring there(bytes, true);
  raw_ring back(sizeof(packet), true);
  const far_side other([&](auto tell) {
    tell("here");
    std::vector<std::byte> into(bytes);
    std::int64_t sum = 0;
    std::uint64_t left = count;
    while (left != 0) {
      there.pop_all(into.data(), [&](std::int64_t n) {
        sum += n;
        --left;
      });
    }
    back.push(sum, 1, into.data());
  });
  const std::vector<std::byte> data(bytes);
  std::byte p[sizeof(packet)];
  std::int64_t sum = 0;
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; i += batch)
    there.push(static_cast<std::int64_t>(i), batch, data.data());
  back.pop_all(p, [&](std::int64_t n) { sum = n; });
  const double rate = watch.millions_per_second(count);
  check(sum == sum_below(count), "oneway: the sum is wrong");
  return rate;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  cases all;
  add_lane_cases(all, troupe::lane_choice::automatic,
                 {[](const setting& how) { return raw_rtt(how.times(full_lane_rounds), false); },
                  [](const setting& how) { return raw_rtt(how.times(full_asleep_rounds), true); },
                  [](const setting&, std::size_t bytes, std::uint64_t count, std::uint32_t batch) {
                    return raw_oneway(bytes, count, batch);
                  }});
  return run_group("shm", all, {}, argc, argv);
}
