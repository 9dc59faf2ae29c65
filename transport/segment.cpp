#include "segment.hpp"

#include <xxhash.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>  // the same functions with the widest registers that the processor has
#endif

namespace troupe::detail {

std::uint64_t checksum_of(const segment_header& header, byte_view frames) noexcept {
  std::byte rest[segment_header_bytes - 8];
  std::memcpy(rest, reinterpret_cast<const std::byte*>(&header) + 8, sizeof rest);
  return XXH3_64bits_withSeed(frames.data(), frames.size(), XXH3_64bits(rest, sizeof rest));
}

void seal_segment(segment_header header, byte_span segment, sum how) noexcept {
  header.length = static_cast<std::uint32_t>(segment.size());
  if (how == sum::xxh3) header.checksum = checksum_of(header, segment.subspan(segment_header_bytes));
  std::memcpy(segment.data(), &header, sizeof header);
}

}  // namespace troupe::detail
