// The memory of a node's bulks: shared segments ("slabs") that only this process can write, cut into blocks.
//
// A block is as large as the next power of two from 4 KiB on, and several lie in a slab of 4 MiB; over 2 MiB a block has a slab
// of its own, in whole MiB. What is given back is used again. Slabs without a block in use are kept up to an eighth of the
// limit, and beyond that, or when their room is needed for another size, they are let go: then every link is told
// (slab_watcher), so that peers unmap them. A block that a peer may still read although its link has ended is spoilt, and not
// used again; its slab goes when no other block of it is in use.
//
// The limit is that of all memory a node shares with its host: the rings of its links take their room of it (pool_room), half of
// it at most.
//
// Thread-safety: everything may be called from any thread; one mutex. Each block holds the pool.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <troupe/bulk.hpp>
#include <troupe/env.hpp>

namespace troupe::detail {

/// A segment as peers know it.
struct slab_name {
  std::uint32_t number = 0;  // never used again
  std::uint64_t size = 0;
};

/// Where a block lies, for who has the slab mapped.
struct bulk_place {
  slab_name slab;
  std::uint64_t offset = 0;
  int descriptor = -1;  // of the slab; valid as long as the block has a handle
};

/// Hears that a slab is gone. Called under the pool's mutex, on any thread.
class slab_watcher {
 public:
  virtual void slab_gone(std::uint32_t number) noexcept = 0;

 protected:
  ~slab_watcher() = default;
};

class bulk_pool;

/// So much of a pool's limit as something else than a bulk fills, until this goes.
class pool_room {
 public:
  pool_room() noexcept = default;
  pool_room(std::shared_ptr<bulk_pool> of, std::uint64_t bytes) noexcept
      : of_(std::move(of)), bytes_(bytes) {}
  pool_room(pool_room&&) noexcept = default;
  pool_room& operator=(pool_room&& from) noexcept {
    pool_room old(std::exchange(of_, std::move(from.of_)), std::exchange(bytes_, from.bytes_));
    return *this;
  }
  ~pool_room();
  explicit operator bool() const noexcept { return of_ != nullptr; }

 private:
  std::shared_ptr<bulk_pool> of_;
  std::uint64_t bytes_ = 0;
};

class bulk_pool : public std::enable_shared_from_this<bulk_pool> {
  friend class pool_room;

 public:
  static constexpr std::size_t least_block = 4096;
  static constexpr std::size_t largest_shared_block = 2 << 20;
  static constexpr std::size_t shared_slab = 4 << 20;
  static constexpr std::uint64_t least = 2 * shared_slab;          // for a node: one slab, and rings
  static constexpr std::size_t most_slabs = 512;                   // each has a descriptor
  static constexpr std::size_t most_bytes = std::size_t{1} << 30;  // of one bulk

  bulk_pool(env& world, std::uint64_t limit) noexcept : world_(world), limit_(limit) {}
  ~bulk_pool();

  /// `size` bytes, which are what they were. no_memory: the limit is reached, or the kernel refuses; too_large: over 1 GiB.
  result<bulk_buffer> loan(std::size_t size);

  /// Empty: the limit, or the half of it, has not so many left.
  pool_room take_room(std::uint64_t bytes);

  /// `b`, or the copy of it in this pool, which is made if there is none; empty: there is no memory for that.
  bulk own(const bulk& b);
  bulk_place place_of(const bulk_block& of) const noexcept;
  /// The block's memory is not to be used again, though its last handle here is going.
  void spoil(bulk_block& of) noexcept;

  void add(slab_watcher& w);
  void remove(slab_watcher& w) noexcept;

  std::uint64_t limit() const noexcept { return limit_; }
  /// Bytes of all slabs and rooms.
  std::uint64_t held() const;

 private:
  struct slab {
    slab_name name;
    descriptor file;
    mapping memory;
    std::size_t block;                // bytes of each
    std::vector<std::uint32_t> free;  // which of them
    std::size_t spoilt = 0;           // how many are neither in use nor free
    std::size_t blocks() const noexcept { return memory.size() / block; }
    bool idle() const noexcept { return free.size() + spoilt == blocks(); }
  };
  class block_in_slab;

  slab* with_free_block(std::size_t block);
  slab* add_slab(std::size_t block);
  bool make_room(std::uint64_t bytes) noexcept;
  bool let_oldest_go() noexcept;
  void give_back(const block_in_slab& b) noexcept;
  void let_go(const slab& s) noexcept;
  void give_room_back(std::uint64_t bytes) noexcept;

  env& world_;
  const std::uint64_t limit_;
  mutable std::mutex guard_;
  std::vector<std::unique_ptr<slab>> slabs_;
  std::vector<slab_watcher*> watchers_;
  std::uint64_t held_ = 0;
  std::uint64_t idle_ = 0;      // of them, in slabs without a block in use
  std::uint64_t in_rooms_ = 0;  // of them; half of the limit at most, so that links leave some to bulks
  std::uint32_t next_number_ = 1;
};

}  // namespace troupe::detail
