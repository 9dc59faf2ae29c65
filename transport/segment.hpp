// The segment: what one stream publishes at a time, on every lane. A header, then whole frames.
//
//   0  checksum u64        on sockets: XXH3 of the rest of the header, and with that as seed, of the frames. Memory keeps what is
//                          written: 0
//   8  length u32          header and frames
//   12 frames u16          how many; each has one sequence number, counted for each stream from 1
//   14 stream u8           the sending worker
//   15 acked stream u8     the acknowledged stream of the receiver's, if `ack` is not 0
//   16 first sequence u64  of the first frame; means nothing if there are none
//   24 ack u64             every frame of that stream up to this number is in its mailbox; 0: says nothing
//
// A segment without frames carries only its acknowledgement and is not acknowledged itself; it may overtake others. The header is
// copied before it is looked at, so a peer that rewrites shared memory meanwhile changes nothing that was
// checked.
#pragma once

#include <cstdint>

#include "frame.hpp"

namespace troupe::detail {

inline constexpr std::size_t segment_header_bytes = 32;
inline constexpr std::size_t max_segment = segment_header_bytes + max_frame;
inline constexpr std::uint16_t max_segment_frames = 0xFFFF;

struct segment_header {
  std::uint64_t checksum = 0;
  std::uint32_t length = 0;
  std::uint16_t frames = 0;
  std::uint8_t stream = 0;
  std::uint8_t acked_stream = 0;
  std::uint64_t first = 0;
  std::uint64_t ack = 0;
};
static_assert(sizeof(segment_header) == segment_header_bytes);

inline bool plausible(const segment_header& header) noexcept {
  return header.length >= segment_header_bytes && header.length <= max_segment;
}

std::uint64_t checksum_of(const segment_header& header, byte_view frames) noexcept;

enum class sum : std::uint8_t { none, xxh3 };

/// Completes the header's length and checksum and writes it before its frames: `segment` is both.
void seal_segment(segment_header header, byte_span segment, sum how) noexcept;

/// Copies a header out; there are segment_header_bytes to read.
inline segment_header read_segment_header(const std::byte* from) noexcept {
  segment_header header;
  std::memcpy(&header, from, sizeof header);
  return header;
}

}  // namespace troupe::detail
