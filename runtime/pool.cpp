#include <troupe/detail/pool.hpp>

#include <atomic>
#include <mutex>
#include <new>

#include <troupe/detail/worker.hpp>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TROUPE_POOLS_OFF 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TROUPE_POOLS_OFF 1
#endif
#endif

namespace troupe::detail {
namespace {

constexpr std::size_t class_of(std::size_t bytes) noexcept {
  return (bytes + pool_cache::granule - 1) / pool_cache::granule - 1;
}

#ifdef TROUPE_POOLS_OFF
constexpr bool pooled(std::size_t) noexcept { return false; }
#else
constexpr bool pooled(std::size_t bytes) noexcept {
  return bytes != 0 && bytes <= pool_cache::classes * pool_cache::granule;
}
#endif

struct block {
  block* next;
};

/// The blocks that no worker holds, and the slabs that all blocks are cut from. Slabs live as long as the
/// process.
class depot {
 public:
  /// A chain of `count` blocks.
  block* take(std::size_t size_class, std::uint32_t count) {
    shelf& s = shelves_[size_class];
    const std::lock_guard lock(s.guard);
    block* chain = nullptr;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (s.head == nullptr) cut_slab(s, (size_class + 1) * pool_cache::granule);
      block* const b = s.head;
      s.head = b->next;
      b->next = chain;
      chain = b;
    }
    return chain;
  }

  void put(std::size_t size_class, block* first, block* last) noexcept {
    shelf& s = shelves_[size_class];
    const std::lock_guard lock(s.guard);
    last->next = s.head;
    s.head = first;
  }

  /// Blocks that are not on the shelves.
  std::uint64_t out() noexcept {
    std::uint64_t sum = 0;
    for (shelf& s : shelves_) {
      const std::lock_guard lock(s.guard);
      sum += s.cut;
      for (const block* b = s.head; b != nullptr; b = b->next) --sum;
    }
    return sum;
  }

 private:
  struct shelf {
    std::mutex guard;
    block* head = nullptr;
    std::uint64_t cut = 0;  // blocks, ever
  };

  static void cut_slab(shelf& s, std::size_t size) {
    const std::size_t count = size * pool_cache::batch > slab_bytes ? pool_cache::batch : slab_bytes / size;
    auto* const slab = static_cast<std::byte*>(
        ::operator new(size * count, static_cast<std::align_val_t>(pool_cache::granule)));
    s.cut += count;
    for (std::size_t i = count; i-- > 0;) {
      auto* const b = reinterpret_cast<block*>(slab + i * size);
      b->next = s.head;
      s.head = b;
    }
  }

  static constexpr std::size_t slab_bytes = 64 * 1024;
  std::array<shelf, pool_cache::classes> shelves_;
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

void* pool_cache::allocate(std::size_t bytes) {
  const std::size_t c = class_of(bytes);
  free_list& list = lists_[c];
  if (list.head == nullptr) return refill(c);
  free_block* const b = list.head;
  list.head = b->next;
  --list.count;
  return b;
}

void pool_cache::release(void* memory, std::size_t bytes) noexcept {
  const std::size_t c = class_of(bytes);
  free_list& list = lists_[c];
  auto* const b = static_cast<free_block*>(memory);
  b->next = list.head;
  list.head = b;
  if (++list.count >= 2 * batch) give_back(c);
}

void* pool_cache::refill(std::size_t size_class) {
  auto* const chain = reinterpret_cast<free_block*>(the_depot().take(size_class, batch));
  lists_[size_class] = {chain->next, batch - 1};
  return chain;
}

void pool_cache::give_back(std::size_t size_class) noexcept {
  free_list& list = lists_[size_class];
  free_block* const first = list.head;
  free_block* last = first;
  for (std::uint32_t i = 1; i < batch; ++i) last = last->next;
  list.head = last->next;
  list.count -= batch;
  the_depot().put(size_class, reinterpret_cast<block*>(first), reinterpret_cast<block*>(last));
}

pool_cache::~pool_cache() {
  for (std::size_t c = 0; c < classes; ++c) {
    free_block* const first = lists_[c].head;
    if (first == nullptr) continue;
    free_block* last = first;
    while (last->next != nullptr) last = last->next;
    the_depot().put(c, reinterpret_cast<block*>(first), reinterpret_cast<block*>(last));
  }
}

void* pool_allocate(std::size_t bytes) {
  if (!pooled(bytes)) return allocate_plain(bytes);
  if (current_worker != nullptr) return current_worker->pool().allocate(bytes);
  return the_depot().take(class_of(bytes), 1);
}

void pool_release(void* memory, std::size_t bytes) noexcept {
  if (!pooled(bytes)) return release_plain(memory);
  if (current_worker != nullptr) return current_worker->pool().release(memory, bytes);
  auto* const b = static_cast<block*>(memory);
  the_depot().put(class_of(bytes), b, b);
}

std::uint64_t pool_blocks_out() noexcept {
  return the_depot().out() + plain_out.load(std::memory_order_relaxed);
}

}  // namespace troupe::detail
