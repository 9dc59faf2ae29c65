// A cache line between two processors that spin: what pinned ping-pong costs at the least.
#include "by_hand.hpp"
#include "inprocess_cases.hpp"

namespace bench {
namespace {

double cache_line(const setting& how) {
  const std::uint64_t rounds = how.times(2'000'000);
  alignas(128) std::atomic<std::uint64_t> there{0};
  alignas(128) std::atomic<std::uint64_t> back{0};
  std::thread other([&] {
    by_hand::pin(1);
    for (std::uint64_t i = 1; i <= rounds; ++i) {
      while (there.load(std::memory_order_acquire) != i) {
      }
      back.store(i, std::memory_order_release);
    }
  });
  by_hand::pin(0);
  const stopwatch watch;
  for (std::uint64_t i = 1; i <= rounds; ++i) {
    there.store(i, std::memory_order_release);
    while (back.load(std::memory_order_acquire) != i) {
    }
  }
  const double each = watch.ns_each(rounds);
  other.join();
  return each;
}

}  // namespace

void add_probe(cases& all) { all.push_back({"probe", 2, placement::pinned, "ns", {}, cache_line}); }

}  // namespace bench
