// Sized memory pools for coroutine frames and messages.
//
// Protocol. A `pool_cache` belongs to one worker and is touched by its thread alone. It holds one free list a
// size class. An empty list takes a batch from the process-wide depot; a list that has grown beyond `kept` bytes
// gives one back, so memory that one worker allocates and another frees goes round in batches of 32 and no
// list grows without bound; what fills and empties full mailboxes of one worker does not go round at all. Threads that
// are no workers use the depot directly. The depot is a mutex per class; it is reached once per batch.
//
// | operation      | who                        | synchronisation                  |
// | allocate, free | the cache's worker         | none                             |
// | refill, return | the cache's worker         | the class's mutex in the depot   |
// | allocate, free | a thread that is no worker | the class's mutex in the depot   |
//
// Under a sanitizer every call goes to operator new and delete, so that use after free is seen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TROUPE_POOLS_OFF 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TROUPE_POOLS_OFF 1
#endif
#endif

namespace troupe::detail {

class pool_cache {
 public:
  static constexpr std::size_t granule = 64;  // bytes; also the alignment of every block
  static constexpr std::size_t classes =
      32;  // blocks of 64, 128, … 2048 bytes; larger ones go to operator new
  static constexpr std::uint32_t batch = 32;       // blocks per exchange with the depot
  static constexpr std::size_t kept = 256 * 1024;  // bytes of each class, or two batches if that is more

  pool_cache() noexcept {
    for (std::size_t c = 0; c < classes; ++c) lists_[c].room = most(c);
  }
  pool_cache(const pool_cache&) = delete;
  pool_cache& operator=(const pool_cache&) = delete;
  ~pool_cache();

  static constexpr bool takes(std::size_t bytes) noexcept {
#ifdef TROUPE_POOLS_OFF
    static_cast<void>(bytes);
    return false;
#else
    return bytes - 1 < classes * granule;
#endif
  }
  static constexpr std::size_t class_of(std::size_t bytes) noexcept { return (bytes - 1) / granule; }

  /// `bytes`: as takes() says.
  void* allocate(std::size_t bytes) {
    void* const b = at_hand(bytes);
    return b != nullptr ? b : refill(class_of(bytes));
  }
  /// Null: that would take a batch from the depot.
  void* at_hand(std::size_t bytes) noexcept {
    free_list& list = lists_[class_of(bytes)];
    free_block* const b = list.head;
    if (b == nullptr) return nullptr;
    list.head = b->next;
    __builtin_prefetch(list.head, 1);
    ++list.room;
    return b;
  }
  void release(void* block, std::size_t bytes) noexcept {
    free_list& list = lists_[class_of(bytes)];
    auto* const b = static_cast<free_block*>(block);
    b->next = list.head;
    list.head = b;
    if (--list.room == 0) give_back(class_of(bytes));
  }

 private:
  struct free_block {
    free_block* next;
  };
  struct free_list {
    free_block* head = nullptr;
    std::uint32_t room = 0;  // for so many blocks more, and then a batch goes
  };
  static constexpr std::uint32_t most(std::size_t size_class) noexcept {
    const auto blocks = static_cast<std::uint32_t>(kept / ((size_class + 1) * granule));
    return blocks > 2 * batch ? blocks : 2 * batch;
  }
  void* refill(std::size_t size_class);
  void give_back(std::size_t size_class) noexcept;

  std::array<free_list, classes> lists_;
};

/// Past any worker's cache, which pool_allocate and pool_release use (worker.hpp). Throws std::bad_alloc.
/// `bytes` must be what the block was allocated with. Any thread.
void* depot_allocate(std::size_t bytes);
void depot_release(void* block, std::size_t bytes) noexcept;
/// The blocks that this process has allocated and not released, also under a sanitizer. Any thread; exact while no worker
/// lives, for what lies in a worker's cache counts as out.
std::uint64_t pool_blocks_out() noexcept;

}  // namespace troupe::detail
