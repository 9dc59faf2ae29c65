#include <troupe/detail/pool.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <utility>

#include "touch.hpp"

namespace troupe::detail {
namespace {

struct block {
  block* next;
  block* next_batch;  // of the first block of a batch on a shelf
};

/// Hardly anybody holds a shelf for longer than a few instructions. A std::mutex that is met then puts the thread to sleep, and
/// both pay some 50 µs for it; so it tries for a while.
std::unique_lock<std::mutex> lock_soon(std::mutex& guard) {
  constexpr int tries = 100;
  for (int i = 0; i < tries; ++i) {
    if (std::unique_lock lock(guard, std::try_to_lock); lock) return lock;
  }
  return std::unique_lock(guard);
}

/// The blocks that no worker holds, and the slabs that all blocks are cut from. Those live as long as the
/// process.
class depot {
 public:
  /// A chain of pool_cache::batch blocks.
  block* take_batch(std::size_t size_class) {
    shelf& s = shelves_[size_class];
    const auto lock = lock_soon(s.guard);
    if (s.batches == nullptr && s.loose_count >= pool_cache::batch) gather(s);
    if (s.batches == nullptr) cut_slab(s, (size_class + 1) * pool_cache::granule);
    return pop_batch(s);
  }

  void put_batch(std::size_t size_class, block* first) noexcept {
    shelf& s = shelves_[size_class];
    const auto lock = lock_soon(s.guard);
    push_batch(s, first);
  }

  block* take_one(std::size_t size_class) {
    shelf& s = shelves_[size_class];
    const auto lock = lock_soon(s.guard);
    if (s.loose == nullptr) {
      if (s.batches == nullptr) cut_slab(s, (size_class + 1) * pool_cache::granule);
      s.loose = pop_batch(s);
      s.loose_count = pool_cache::batch;
    }
    --s.loose_count;
    return std::exchange(s.loose, s.loose->next);
  }

  void put_some(std::size_t size_class, block* first, block* last, std::uint32_t count) noexcept {
    shelf& s = shelves_[size_class];
    const auto lock = lock_soon(s.guard);
    last->next = std::exchange(s.loose, first);
    s.loose_count += count;
  }

  /// Blocks that are not on the shelves.
  std::uint64_t out() noexcept {
    std::uint64_t sum = 0;
    for (shelf& s : shelves_) {
      const auto lock = lock_soon(s.guard);
      sum += s.cut - s.batch_count * pool_cache::batch - s.loose_count;
    }
    return sum;
  }

 private:
  struct shelf {
    std::mutex guard;
    block* batches = nullptr;
    block* loose = nullptr;
    std::uint64_t batch_count = 0;
    std::uint64_t loose_count = 0;
    std::uint64_t cut = 0;  // blocks, ever
  };

  static void push_batch(shelf& s, block* first) noexcept {
    first->next_batch = std::exchange(s.batches, first);
    ++s.batch_count;
  }
  static block* pop_batch(shelf& s) noexcept {
    --s.batch_count;
    return std::exchange(s.batches, s.batches->next_batch);
  }
  /// Makes a batch of loose blocks.
  static void gather(shelf& s) noexcept {
    block* const first = s.loose;
    block* last = first;
    for (std::uint32_t i = 1; i < pool_cache::batch; ++i) last = last->next;
    s.loose = std::exchange(last->next, nullptr);
    s.loose_count -= pool_cache::batch;
    push_batch(s, first);
  }

  void cut_slab(shelf& s, std::size_t size) {
    const std::size_t batches = std::max<std::size_t>(1, slab_bytes / (size * pool_cache::batch));
    const std::size_t bytes = size * batches * pool_cache::batch;
    std::byte* at = new_slab(bytes);
    touch_soon(at, bytes);
    for (std::size_t i = 0; i < batches; ++i) {
      block* chain = nullptr;
      for (std::uint32_t k = 0; k < pool_cache::batch; ++k, at += size) {
        auto* const b = reinterpret_cast<block*>(at);
        b->next = std::exchange(chain, b);
      }
      push_batch(s, chain);
    }
    s.cut += batches * pool_cache::batch;
  }

  /// Slabs lie side by side in a huge page, if the kernel has one: where a million messages wait, most of what a message costs
  /// would be to look up its page.
  std::byte* new_slab(std::size_t bytes) {
    const auto lock = lock_soon(rest_guard_);
    if (rest_bytes_ < bytes) {
      // Each allocation of this alignment takes address space twice and a map of the kernel's: a large pool takes few.
      const std::size_t more = taken_ < many * huge_page ? huge_page : many * huge_page;
      constexpr auto page = static_cast<std::align_val_t>(huge_page);
      void* const pages = ::operator new(more, page, std::nothrow);
      if (pages == nullptr)
        return static_cast<std::byte*>(
            ::operator new(bytes, static_cast<std::align_val_t>(pool_cache::granule)));
      rest_ = static_cast<std::byte*>(pages);
      rest_bytes_ = more;
      taken_ += more;
      prefer_huge_pages(rest_, more);
    }
    rest_bytes_ -= bytes;
    return std::exchange(rest_, rest_ + bytes);
  }

  static constexpr std::size_t slab_bytes = 64 * 1024;
  static constexpr std::size_t huge_page = 2 * 1024 * 1024;
  static constexpr std::size_t many = 16;
  std::array<shelf, pool_cache::classes> shelves_;
  std::mutex rest_guard_;
  std::byte* rest_ = nullptr;  // of the last huge page
  std::size_t rest_bytes_ = 0;
  std::size_t taken_ = 0;
};

// Never destroyed: frames may be released while statics are torn down.
depot& the_depot() {
  static depot& d = *new depot;
  return d;
}

std::atomic<std::uint64_t> plain_out{0};

void* allocate_plain(std::size_t bytes) {
  void* const b = ::operator new(bytes, static_cast<std::align_val_t>(pool_cache::granule));
  plain_out.fetch_add(1, std::memory_order_relaxed);
  return b;
}
void release_plain(void* b) noexcept {
  if (b != nullptr) plain_out.fetch_sub(1, std::memory_order_relaxed);
  ::operator delete(b, static_cast<std::align_val_t>(pool_cache::granule));
}

}  // namespace

void* pool_cache::refill(std::size_t size_class) {
  auto* const chain = reinterpret_cast<free_block*>(the_depot().take_batch(size_class));
  lists_[size_class] = {chain->next, most(size_class) - (batch - 1)};
  return chain;
}

void pool_cache::give_back(std::size_t size_class) noexcept {
  free_list& list = lists_[size_class];
  free_block* const first = list.head;
  free_block* last = first;
  for (std::uint32_t i = 1; i < batch; ++i) last = last->next;
  list.head = std::exchange(last->next, nullptr);
  list.room += batch;
  the_depot().put_batch(size_class, reinterpret_cast<block*>(first));
}

pool_cache::~pool_cache() {
  for (std::size_t c = 0; c < classes; ++c) {
    while (most(c) - lists_[c].room >= batch) give_back(c);
    free_block* const first = lists_[c].head;
    if (first == nullptr) continue;
    free_block* last = first;
    while (last->next != nullptr) last = last->next;
    the_depot().put_some(c, reinterpret_cast<block*>(first), reinterpret_cast<block*>(last),
                         most(c) - lists_[c].room);
  }
}

void* depot_allocate(std::size_t bytes) {
  return pool_cache::takes(bytes) ? the_depot().take_one(pool_cache::class_of(bytes)) : allocate_plain(bytes);
}

void depot_release(void* memory, std::size_t bytes) noexcept {
  if (!pool_cache::takes(bytes)) return release_plain(memory);
  auto* const b = static_cast<block*>(memory);
  the_depot().put_some(pool_cache::class_of(bytes), b, b, 1);
}

std::uint64_t pool_blocks_out() noexcept {
  return the_depot().out() + plain_out.load(std::memory_order_relaxed);
}

}  // namespace troupe::detail
