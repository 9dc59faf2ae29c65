// Segment headers and checksums.
#include "segment.hpp"

#include "catch.hpp"

using namespace troupe::detail;

namespace {

std::vector<std::byte> sealed(std::string_view frames) {
  segment_header header;
  header.frames = 3;
  header.stream = 1;
  header.acked_stream = 2;
  header.first = 0x0102030405060708;
  header.ack = 42;
  std::vector<std::byte> segment(segment_header_bytes + frames.size());
  std::memcpy(segment.data() + segment_header_bytes, frames.data(), frames.size());
  seal_segment(header, segment, sum::xxh3);
  return segment;
}

bool intact(const std::vector<std::byte>& segment) {
  const segment_header header = read_segment_header(segment.data());
  return plausible(header) && header.length == segment.size() &&
         checksum_of(header, byte_view(segment).subspan(segment_header_bytes)) == header.checksum;
}

}  // namespace

TEST_CASE("a sealed segment reads back, its fields in their golden places") {
  const auto segment = sealed("frames");
  const segment_header header = read_segment_header(segment.data());
  CHECK(intact(segment));
  CHECK(load<std::uint32_t>(segment.data() + 8) == 38);
  CHECK(load<std::uint16_t>(segment.data() + 12) == 3);
  CHECK(load<std::uint8_t>(segment.data() + 14) == 1);
  CHECK(load<std::uint8_t>(segment.data() + 15) == 2);
  CHECK(load<std::uint64_t>(segment.data() + 16) == 0x0102030405060708);
  CHECK(load<std::uint64_t>(segment.data() + 24) == 42);
  CHECK(header.first == 0x0102030405060708);
}

TEST_CASE("every flipped bit of a segment is noticed") {
  const auto segment = sealed("some frames");
  for (std::size_t bit = 0; bit < segment.size() * 8; ++bit) {
    auto broken = segment;
    broken[bit / 8] ^= std::byte{1} << bit % 8;
    CHECK_FALSE(intact(broken));
  }
}

TEST_CASE("a segment length under the header or over the largest segment is not plausible") {
  segment_header header;
  for (const std::uint32_t length : {0u, 31u, static_cast<std::uint32_t>(max_segment) + 1, ~0u}) {
    header.length = length;
    CHECK_FALSE(plausible(header));
  }
  header.length = segment_header_bytes;
  CHECK(plausible(header));
  header.length = max_segment;
  CHECK(plausible(header));
}
