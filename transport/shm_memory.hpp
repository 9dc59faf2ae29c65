// The memory that two nodes on one host share: each makes one sealed segment that only it can write, and maps
// the other's read-only. A segment holds, for the side that made it, with S streams against the peer's P:
//
//   line 0        asleep: a gate at which the home worker waits for the doorbell
//   lines 1…S     for each own ring: written, wants_room
//   S+1…S+P       for each ring of the peer's: read
//   then, from the next page on, S rings
//
// A line is 64 bytes, so that no two workers write to the same one.
#pragma once

#include <memory>
#include <string>

#include "bulk_pool.hpp"
#include "greeter.hpp"
#include "shm_handshake.hpp"
#include "shm_ring.hpp"

namespace troupe::detail {

struct alignas(64) shm_line {
  ring_index position{0};  // written or read
  sleep_gate wants_room;   // at which the ring's writer waits
};
static_assert(sizeof(sleep_gate) == sizeof(ring_index), "a gate is a word of shared memory");

/// One side's segment, mapped here: writable if it is ours, read-only if it is the peer's.
class shm_segment {
 public:
  shm_segment() = default;
  shm_segment(mapping memory, unsigned streams, unsigned peer_streams, std::uint32_t ring_bytes) noexcept
      : memory_(std::move(memory)), streams_(streams), peer_streams_(peer_streams), ring_bytes_(ring_bytes) {}

  static std::size_t size_for(unsigned streams, unsigned peer_streams, std::uint32_t ring_bytes) noexcept {
    return control_bytes(streams, peer_streams) + std::size_t{streams} * ring_bytes;
  }

  sleep_gate& sleep() const noexcept { return *reinterpret_cast<sleep_gate*>(memory_.data()); }
  shm_line& writer(unsigned stream) const noexcept { return line(1 + stream); }
  shm_line& reader(unsigned peer_stream) const noexcept { return line(1 + streams_ + peer_stream); }
  byte_span ring(unsigned stream) const noexcept {
    const std::size_t start = control_bytes(streams_, peer_streams_) + std::size_t{stream} * ring_bytes_;
    return {memory_.data() + start, ring_bytes_};
  }

 private:
  static std::size_t control_bytes(unsigned streams, unsigned peer_streams) noexcept {
    constexpr std::size_t page = 4096;
    return (sizeof(shm_line) * (1 + streams + peer_streams) + page - 1) / page * page;
  }
  shm_line& line(unsigned index) const noexcept { return reinterpret_cast<shm_line*>(memory_.data())[index]; }

  mapping memory_;
  unsigned streams_ = 0;
  unsigned peer_streams_ = 0;
  std::uint32_t ring_bytes_ = 0;
};

/// Both segments and both doorbells, as the handshake gathers them.
struct shm_pair {
  unsigned streams = 0;
  unsigned peer_streams = 0;
  memory_offer offer;    // what this side tells the peer
  descriptor memory_fd;  // of our segment, until the peer has it
  pool_room room;        // of the node's limit, that our segment fills
  shm_segment mine;
  shm_segment theirs;
  doorbell bell;   // by which we ring at the peer
  descriptor ear;  // at which the peer rings
};

/// What a node says of the memory of its links.
struct shm_limits {
  std::uint32_t ring_bytes = smallest_ring;
  std::shared_ptr<bulk_pool> pool = {};  // in whose limit the segment is counted; null: no limit
};

/// Makes our segment and doorbell; if that fails, the offer says why.
shm_pair prepare_shm(env& world, unsigned streams, unsigned peer_streams, const shm_limits& limits);

/// Checks and maps what the peer sent; the answer says whether that worked.
memory_offer map_peer_shm(env& world, shm_pair& pair, heard& theirs);

}  // namespace troupe::detail
