// The memory of bulks: how blocks are cut, used again, limited and let go; and what a handle is.
#include "catch.hpp"

#include <algorithm>
#include <set>

#include "bulk_pool.hpp"

using namespace troupe;
using troupe::detail::bulk_pool;
using troupe::detail::slab_watcher;

namespace {

constexpr std::uint64_t mib = 1 << 20;

std::shared_ptr<bulk_pool> pool_of(std::uint64_t bytes) {
  return std::make_shared<bulk_pool>(os_env(), bytes);
}

struct gone_slabs final : slab_watcher {
  void slab_gone(std::uint32_t number) noexcept override { numbers.insert(number); }
  std::set<std::uint32_t> numbers;
};

bulk filled(bulk_pool& from, std::size_t size, unsigned char with) {
  auto buffer = from.loan(size);
  REQUIRE(buffer.has_value());
  std::ranges::fill(buffer->bytes(), std::byte{with});
  return std::move(*buffer).seal();
}

}  // namespace

TEST_CASE("bulk: copies are the same bytes, and the last handle gives the memory back") {
  const auto pool = pool_of(16 * mib);
  const std::byte* at = nullptr;
  {
    const bulk one = filled(*pool, 100'000, 7);
    const bulk two = one;
    at = one.trusted_bytes().data();
    CHECK(two.trusted_bytes().data() == at);
    CHECK(two.size() == 100'000);
    CHECK(std::ranges::all_of(two.trusted_bytes(), [](std::byte b) { return b == std::byte{7}; }));
    CHECK(filled(*pool, 100'000, 8).trusted_bytes().data() != at);  // in use
  }
  CHECK(filled(*pool, 100'000, 9).trusted_bytes().data() == at);
  const bulk none;
  CHECK(none.empty());
  CHECK(none.trusted_bytes().empty());
}

TEST_CASE("bulk: read copies what there is") {
  const auto pool = pool_of(16 * mib);
  auto buffer = pool->loan(1000);
  REQUIRE(buffer.has_value());
  for (std::size_t i = 0; i < 1000; ++i) buffer->bytes()[i] = static_cast<std::byte>(i);
  const bulk b = std::move(*buffer).seal(900);
  CHECK(b.size() == 900);
  std::byte into[64] = {};
  CHECK(b.read(10, into) == 64);
  CHECK(into[0] == std::byte{10});
  CHECK(b.read(880, into) == 20);
  CHECK(into[19] == std::byte{899 % 256});
  CHECK(b.read(900, into) == 0);
  CHECK(b.read(SIZE_MAX, into) == 0);
}

TEST_CASE("bulk: a buffer that is dropped gives its memory back, and one of no bytes is empty") {
  const auto pool = pool_of(4 * mib);
  for (int i = 0; i < 100; ++i) REQUIRE(pool->loan(4 * mib).has_value());
  auto nothing = pool->loan(0);
  REQUIRE(nothing.has_value());
  CHECK(nothing->bytes().empty());
  CHECK(std::move(*nothing).seal(0).empty());
}

TEST_CASE("bulk: the limit holds, and small ones share a slab") {
  const auto pool = pool_of(8 * mib);
  std::vector<bulk> all;
  for (;;) {
    auto buffer = pool->loan(64 * 1024);
    if (!buffer) {
      CHECK(buffer.error() == errc::no_memory);
      break;
    }
    all.push_back(std::move(*buffer).seal());
  }
  CHECK(all.size() == 128);
  CHECK(pool->held() == 8 * mib);
  std::set<const std::byte*> places;
  for (const bulk& b : all) places.insert(b.trusted_bytes().data());
  CHECK(places.size() == 128);
  all.pop_back();
  CHECK(pool->loan(64 * 1024).has_value());
  CHECK_FALSE(pool->loan(1).has_value());  // there is no slab for those
  CHECK(pool->loan(bulk_pool::most_bytes + 1).error() == errc::too_large);
  CHECK(pool->loan(bulk_pool::most_bytes).error() == errc::no_memory);
}

TEST_CASE("bulk: rings take their room of the same limit, half of it at most, and idle slabs make it") {
  const auto pool = pool_of(16 * mib);
  CHECK_FALSE(pool->take_room(8 * mib + 1));
  auto one = pool->take_room(6 * mib);
  REQUIRE(one);
  CHECK_FALSE(pool->take_room(2 * mib + 1));
  {
    const bulk eight = filled(*pool, 8 * mib, 1);
    CHECK(pool->held() == 14 * mib);
    CHECK(pool->loan(1).error() == errc::no_memory);
  }
  auto rest = pool->take_room(2 * mib);
  CHECK(rest);
  CHECK(pool->loan(8 * mib).has_value());
  CHECK(pool->held() <= 16 * mib);
  one = {};
  CHECK(pool->take_room(6 * mib));
  auto moved = std::move(rest);
  CHECK_FALSE(rest);
  moved = {};
  CHECK(pool->loan(16 * mib).has_value());  // nothing is left behind
}

TEST_CASE("bulk: slabs that nobody uses make room for those of another size, and who watches is told") {
  const auto pool = pool_of(128 * mib);
  gone_slabs gone;
  pool->add(gone);
  {
    const bulk small = filled(*pool, 64 * 1024, 1);
  }
  CHECK(pool->held() == 4 * mib);  // kept, to be used again
  CHECK(gone.numbers.empty());
  {
    const bulk large = filled(*pool, 125 * mib, 2);
    CHECK(pool->held() == 125 * mib);
    CHECK(gone.numbers.size() == 1);
  }
  CHECK(pool->held() == 0);  // over an eighth of the limit
  CHECK(gone.numbers.size() == 2);
  pool->remove(gone);
}

TEST_CASE("bulk: a large block is used again for what is up to a quarter smaller") {
  const auto pool = pool_of(1024 * mib);
  const std::byte* at = filled(*pool, 10 * mib, 1).trusted_bytes().data();
  CHECK(filled(*pool, 8 * mib, 2).trusted_bytes().data() == at);
  const std::byte* const three = filled(*pool, 3 * mib, 4).trusted_bytes().data();
  CHECK(filled(*pool, 4 * mib, 4).trusted_bytes().data() == three);
  const bulk smaller = filled(*pool, 5 * mib, 3);
  CHECK(smaller.trusted_bytes().data() != at);
  CHECK(pool->held() == 19 * mib);  // 10, 4 and 5
}

TEST_CASE("bulk: spoilt memory is not used again") {
  const auto pool = pool_of(64 * mib);
  gone_slabs gone;
  pool->add(gone);
  const std::byte* at = nullptr;
  {
    const bulk neighbour = filled(*pool, 64 * 1024, 1);
    {
      const bulk spoilt = filled(*pool, 64 * 1024, 2);
      at = spoilt.trusted_bytes().data();
      pool->spoil(*spoilt.block());
    }
    const bulk next = filled(*pool, 64 * 1024, 3);
    CHECK(next.trusted_bytes().data() != at);
    CHECK(pool->held() == 4 * mib);
    CHECK(gone.numbers.empty());
  }
  CHECK(gone.numbers.size() == 1);
  CHECK(pool->held() == 0);
  pool->remove(gone);
}

TEST_CASE("bulk: handles outlive everybody's pointer to their pool") {
  auto pool = pool_of(16 * mib);
  const bulk b = filled(*pool, 70'000, 5);
  pool.reset();
  CHECK(b.trusted_bytes()[69'999] == std::byte{5});
}
