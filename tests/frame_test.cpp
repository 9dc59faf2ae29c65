// The frame word and its extensions, byte by byte.
#include "frame.hpp"

#include <array>

#include "catch.hpp"

using namespace troupe::detail;

namespace {

std::vector<std::byte> frame(const frame_header& header, std::string_view body) {
  std::vector<std::byte> bytes(header.bytes() + body.size());
  write_frame_header(bytes.data(), header, body.size());
  std::memcpy(bytes.data() + header.bytes(), body.data(), body.size());
  return bytes;
}

std::vector<std::byte> with_word(std::uint32_t length, std::uint32_t kind, std::uint32_t flags,
                                 std::size_t bytes = 64) {
  std::vector<std::byte> raw(bytes, std::byte{1});
  store<std::uint32_t>(raw.data(), length | kind << 24 | flags << 28);
  return raw;
}

bool accepted(const std::vector<std::byte>& raw) {
  byte_view rest = raw;
  frame_view frame;
  return next_frame(rest, frame);
}

}  // namespace

TEST_CASE("a frame reads back as it was written, with every mix of extensions") {
  for (const std::uint64_t correlation : {0ull, 1ull, ~0ull}) {
    for (const auto& [remaining, total] :
         {std::pair{0ull, 0ull}, {5'000'000'000ull, 0ull}, {0ull, 70'000ull}, {1ull, 1ull << 40}}) {
      const frame_header header{frame_kind::message, 0xABCDEF01, correlation, remaining, total};
      const std::vector<std::byte> raw = frame(header, "body");
      byte_view rest = raw;
      frame_view view;
      REQUIRE(next_frame(rest, view));
      CHECK(rest.empty());
      CHECK(view.header.kind == frame_kind::message);
      CHECK(view.header.route == 0xABCDEF01);
      CHECK(view.header.correlation == correlation);
      CHECK(view.header.remaining_ns == remaining);
      CHECK(view.header.total == total);
      CHECK(std::ranges::equal(view.body, bytes_of("body")));
      CHECK_FALSE(view.ignorable);
    }
  }
}

TEST_CASE("a frame whose encoding lies apart says so, and lends no less than that") {
  frame_header header{frame_kind::message, 7, 0, 0, 70'000};
  header.apart = true;
  for (const std::uint64_t lent : {70'000ull, 70'001ull, 69'999ull, 1ull}) {
    header.lent = lent;
    const std::vector<std::byte> raw = frame(header, "list");
    byte_view rest = raw;
    frame_view view;
    const bool taken = next_frame(rest, view);
    REQUIRE(taken == (lent >= 70'000));
    if (!taken) continue;
    CHECK(view.header.apart);
    CHECK_FALSE(view.header.begins());
    CHECK(view.header.total == 70'000);
    CHECK(view.header.lent == lent);
  }
  header.total = 0;
  header.lent = 5;
  CHECK_FALSE(accepted(frame(header, "list")));
}

TEST_CASE("the word of a frame has its golden bytes") {
  const std::vector<std::byte> raw = frame({frame_kind::reply, 0x01020304, 0x1122334455667788, 0}, "ab");
  const std::array<unsigned char, 18> golden = {18,   0,    0,    0x12, 4,    3,    2,    1,   0x88,
                                                0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 'a', 'b'};
  CHECK(std::ranges::equal(raw, std::as_bytes(std::span(golden))));
}

TEST_CASE("a frame whose length is all ones, zero, under its header or over the input is refused") {
  for (const std::uint32_t length : {0xFFFFFFu, 0u, 7u, 65u}) CHECK_FALSE(accepted(with_word(length, 1, 0)));
  CHECK(accepted(with_word(64, 1, 0)));
  CHECK_FALSE(accepted(with_word(8, 1, 0, 7)));
}

TEST_CASE("a frame too short for the extensions that its flags announce is refused") {
  CHECK_FALSE(accepted(with_word(15, 1, flag_correlation)));
  CHECK_FALSE(accepted(with_word(23, 1, flag_correlation | flag_deadline)));
  CHECK(accepted(with_word(24, 1, flag_correlation | flag_deadline)));
}

TEST_CASE("unknown kinds are refused, and the kinds 12 to 15 are skipped") {
  for (std::uint32_t kind = 0; kind < 16; ++kind) {
    CHECK(accepted(with_word(64, kind, 0)) == ((kind >= 1 && kind <= 10) || kind >= 12));
  }
  const std::vector<std::byte> raw = with_word(40, 13, 15);
  byte_view rest = raw;
  frame_view view;
  REQUIRE(next_frame(rest, view));
  CHECK(view.ignorable);
  CHECK(rest.size() == 24);
}
