#include "catch.hpp"

#include <cstdint>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <troupe/detail/pool.hpp>

#include "fake_env.hpp"

using namespace troupe;
using namespace troupe::test;
using detail::pool_cache;

namespace {

constexpr std::size_t largest = pool_cache::classes * pool_cache::granule;

std::vector<void*> take(pool_cache& from, std::size_t count, std::size_t bytes) {
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < count; ++i) {
    blocks.push_back(from.allocate(bytes));
    std::memset(blocks.back(), static_cast<int>(i), bytes);
  }
  return blocks;
}
void give(pool_cache& to, const std::vector<void*>& blocks, std::size_t bytes) {
  for (void* const b : blocks) to.release(b, bytes);
}

}  // namespace

TEST_CASE("blocks of every size are aligned, apart from each other, and keep what is written", "[pool]") {
  pool_cache cache;
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65},
                                  std::size_t{1000}, largest - 1, largest}) {
    const auto blocks = take(cache, 100, bytes);
    std::set<std::uintptr_t> starts;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const auto start = reinterpret_cast<std::uintptr_t>(blocks[i]);
      CHECK(start % pool_cache::granule == 0);
      starts.insert(start);
      const auto* const bytes_of = static_cast<const unsigned char*>(blocks[i]);
      CHECK((bytes_of[0] == i && bytes_of[bytes - 1] == i));
    }
    std::uintptr_t before = 0;
    for (const std::uintptr_t start : starts) {
      CHECK((before == 0 || start - before >= bytes));
      before = start;
    }
    CHECK(starts.size() == blocks.size());
    give(cache, blocks, bytes);
  }
}

TEST_CASE("a freed block is the next one handed out", "[pool]") {
  pool_cache cache;
  void* const a = cache.allocate(100);
  void* const b = cache.allocate(100);
  cache.release(a, 100);
  CHECK(cache.allocate(128) == a);  // of the same class
  cache.release(b, 128);
  CHECK(cache.allocate(65) == b);
  cache.release(a, 100);
  cache.release(b, 100);
}

TEST_CASE("blocks that one worker allocates and another one frees come round", "[pool]") {
  pool_cache maker;
  pool_cache user;
  std::set<void*> seen;
  for (int round = 0; round < 1000; ++round) {
    const auto blocks = take(maker, 64, 192);
    seen.insert(blocks.begin(), blocks.end());
    give(user, blocks, 192);
  }
  // 64,000 blocks went by; each cache holds what it may keep, and the depot a few batches.
  CHECK(seen.size() <= pool_cache::kept / 192 + 1024);
}

TEST_CASE("a cache that ends leaves its blocks to the others", "[pool]") {
  constexpr std::size_t bytes = 320;
  std::set<void*> left;
  {
    pool_cache ended;
    const auto blocks = take(ended, pool_cache::batch, bytes);
    left.insert(blocks.begin(), blocks.end());
    give(ended, blocks, bytes);
  }
  pool_cache heir;
  const auto blocks = take(heir, pool_cache::batch, bytes);
  std::size_t inherited = 0;
  for (void* const b : blocks) inherited += left.count(b);
  CHECK(inherited == pool_cache::batch);
  give(heir, blocks, bytes);
}

TEST_CASE("threads that are no workers may allocate and free, too", "[pool]") {
  for (const std::size_t bytes : {std::size_t{1}, largest, largest + 1, std::size_t{100'000}}) {
    void* const here = detail::pool_allocate(bytes);
    std::memset(here, 1, bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(here) % pool_cache::granule == 0);
    fake_machine machine;  // makes this thread a worker's
    void* const there = detail::pool_allocate(bytes);
    CHECK(here != there);
    detail::pool_release(here, bytes);
    detail::current_worker = nullptr;
    detail::pool_release(there, bytes);
  }
}

TEST_CASE("caches on many threads exchange blocks without touching each other's", "[pool]") {
  constexpr std::size_t bytes = 448;
  constexpr int rounds = 3000;
  std::mutex guard;
  std::vector<void*> market;
  std::atomic<int> damaged{0};
  const auto trade = [&](unsigned char mark) {
    pool_cache cache;
    for (int i = 0; i < rounds; ++i) {
      auto mine = take(cache, 40, bytes);
      for (void* const b : mine) std::memset(b, mark, bytes);
      for (void* const b : mine) damaged += static_cast<unsigned char*>(b)[bytes - 1] != mark;
      {
        const std::lock_guard lock(guard);
        std::swap(mine, market);
      }
      give(cache, mine, bytes);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned char t = 1; t <= 3; ++t) threads.emplace_back(trade, t);
  for (std::thread& t : threads) t.join();
  CHECK(damaged == 0);
  pool_cache last;
  give(last, market, bytes);
}
