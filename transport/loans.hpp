// What a message lends: bulks that go as references to the sender's memory instead of as bytes, and its own encoding, if that is
// over 64 KiB. The frame says how many bytes they are together (flag 8), and ends with
//
//   for each:  loan u64, offset u64, size u64, slab u32        then  how many u8
//
// and the encoded message refers to them by their number in this list; its encoding, if it lies apart, is the last. A slab is told, with its descriptor, over the local
// socket beside the rings (shm_lane) before the first frame that refers to it is published, and when it is gone. A loan is given back by its
// number (frame kind 8) when the last handle of the receiver is gone, whether the message was decoded or not.
#pragma once

#include <cstdint>

#include "bytes.hpp"

namespace troupe::detail {

struct loan_entry {
  std::uint64_t number = 0;  // of the link's sending side, from 1
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint32_t slab = 0;
};

inline constexpr std::size_t most_slabs_of_a_link = 512;  // that a peer keeps mapped
inline constexpr std::size_t most_loans_of_a_link =
    256 * 1024;  // that are out: each costs memory on both sides
inline constexpr std::size_t loan_bytes = 8 + 8 + 8 + 4;

/// Of what lends so many.
inline constexpr std::size_t loan_list_bytes(std::size_t count) noexcept {
  return count != 0 ? count * loan_bytes + 1 : 0;
}

inline void store_loan(std::byte* to, const loan_entry& l) noexcept {
  store<std::uint64_t>(to, l.number);
  store<std::uint64_t>(to + 8, l.offset);
  store<std::uint64_t>(to + 16, l.size);
  store<std::uint32_t>(to + 24, l.slab);
}
inline loan_entry load_loan(const std::byte* from) noexcept {
  return {load<std::uint64_t>(from), load<std::uint64_t>(from + 8), load<std::uint64_t>(from + 16),
          load<std::uint32_t>(from + 24)};
}

/// The body of frame kind 8, by its `route`.
enum class loan_note : std::uint32_t {
  given_back = 0,     // u64 each: numbers of loans
  slabs_refused = 1,  // u32 each: slabs that could not be mapped, of which nothing is to be lent
  slabs_mapped = 2,   // u32 each: that were
};

}  // namespace troupe::detail
