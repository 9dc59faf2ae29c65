// Sized memory pools for coroutine frames and messages.
//
// Protocol. A `pool_cache` belongs to one worker and is touched by its thread alone. It holds one free list a
// size class. An empty list takes a batch from the process-wide depot; a list that has grown to two batches
// gives one back, so memory that one worker allocates and another frees goes round in batches of 32 and no
// list grows without bound. Threads that are no workers use the depot directly. The depot is a mutex per
// class; it is reached once per batch.
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

namespace troupe::detail {

class pool_cache {
 public:
  static constexpr std::size_t granule = 64;  // bytes; also the alignment of every block
  static constexpr std::size_t classes =
      32;  // blocks of 64, 128, … 2048 bytes; larger ones go to operator new
  static constexpr std::uint32_t batch = 32;  // blocks per exchange with the depot

  pool_cache() noexcept = default;
  pool_cache(const pool_cache&) = delete;
  pool_cache& operator=(const pool_cache&) = delete;
  ~pool_cache();

  void* allocate(std::size_t bytes);
  void release(void* block, std::size_t bytes) noexcept;

 private:
  struct free_block {
    free_block* next;
  };
  struct free_list {
    free_block* head = nullptr;
    std::uint32_t count = 0;
  };
  void* refill(std::size_t size_class);
  void give_back(std::size_t size_class) noexcept;

  std::array<free_list, classes> lists_;
};

/// Allocates from the current worker's cache, or from the depot off the workers. Throws std::bad_alloc.
void* pool_allocate(std::size_t bytes);
/// `bytes` must be what the block was allocated with. Any thread.
void pool_release(void* block, std::size_t bytes) noexcept;
/// The blocks that this process has allocated and not released, also under a sanitizer. Any thread; exact while no worker
/// lives, for what lies in a worker's cache counts as out.
std::uint64_t pool_blocks_out() noexcept;

}  // namespace troupe::detail
