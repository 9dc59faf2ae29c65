#include "catch.hpp"

#include <cstring>
#include <random>
#include <thread>

#include "shm_ring.hpp"

using namespace troupe::detail;

namespace {

struct ring_pair {
  static constexpr std::size_t size = smallest_ring;
  std::vector<std::uint64_t> memory = std::vector<std::uint64_t>(size / 8);
  byte_span bytes = std::as_writable_bytes(std::span(memory));
  ring_index written{0};
  ring_index read{0};
  ring_writer writer{bytes, written, read};
  ring_reader reader{bytes, written, read};

  /// Publishes a segment of `length` bytes, marked with `number`; false if there is no room.
  bool put(std::uint64_t number, std::uint32_t length, std::size_t more = 0) {
    const byte_span room = writer.open(more);
    if (room.empty()) return false;
    segment_header header;
    header.first = number;
    header.length = length;
    std::memcpy(room.data(), &header, sizeof header);
    std::memset(room.data() + sizeof header, static_cast<int>(number & 0xFF), length - sizeof header);
    writer.publish(length);
    return true;
  }
};

}  // namespace

TEST_CASE("segments of every size come out of a ring whole and in order, round and round") {
  ring_pair ring;
  std::mt19937 random(7);
  std::uint64_t put = 0;
  std::uint64_t taken = 0;
  while (taken < 5000) {
    const auto length = static_cast<std::uint32_t>(segment_header_bytes + random() % (max_segment - 31));
    if (ring.put(put, length)) {
      ++put;
      if (random() % 2 == 0) continue;
    }
    while (const auto segment = ring.reader.next()) {
      REQUIRE(segment->header.first == taken);
      for (const std::byte b : segment->frames) {
        if (b != static_cast<std::byte>(taken & 0xFF)) FAIL("a byte of another segment");
      }
      ring.reader.consume();
      ++taken;
    }
    ring.reader.release();
  }
  CHECK_FALSE(ring.reader.violated());
  CHECK_FALSE(ring.writer.violated());
}

TEST_CASE("a ring has no room until the reader releases what it consumed") {
  ring_pair ring;
  std::uint64_t put = 0;
  while (ring.put(put, max_segment)) ++put;
  CHECK(put == 3);  // the fourth would wrap onto the first
  REQUIRE(ring.reader.next());
  ring.reader.consume();
  CHECK_FALSE(ring.put(put, max_segment));
  CHECK(ring.reader.release());
  CHECK_FALSE(ring.reader.release());
  CHECK_FALSE(ring.put(put, 64, 64));  // asks for more room than is left
  CHECK(ring.put(put, 64));
}

TEST_CASE("a segment is invisible until it is published") {
  ring_pair ring;
  REQUIRE_FALSE(ring.writer.open(0).empty());
  CHECK_FALSE(ring.reader.next());
  CHECK_FALSE(ring.reader.violated());
}

TEST_CASE("a reader refuses a written position that is out of range, backwards or misaligned") {
  for (const std::uint64_t lie : {std::uint64_t{0}, std::uint64_t{63}, std::uint64_t{65}, ring_pair::size + 8,
                                  ~std::uint64_t{7}, ~std::uint64_t{0}}) {
    ring_pair fresh;
    fresh.put(1, 64);
    REQUIRE(fresh.reader.next());
    fresh.reader.consume();
    fresh.written = lie;
    CHECK_FALSE(fresh.reader.next());
    CHECK(fresh.reader.violated());
    fresh.written = 64;
    CHECK_FALSE(fresh.reader.next());  // never again
  }
}

TEST_CASE("a reader refuses lengths that leave the ring or the written part") {
  for (const std::uint32_t length : {0u, 31u, 72u, static_cast<std::uint32_t>(max_segment), ~0u}) {
    ring_pair ring;
    ring.put(1, 64);
    std::memcpy(ring.bytes.data() + 8, &length, sizeof length);
    CHECK_FALSE(ring.reader.next());
    CHECK(ring.reader.violated());
  }
  ring_pair ring;  // a wrap marker where the writer did not wrap
  ring.put(1, 64);
  std::memcpy(ring.bytes.data() + 8, &wrap_marker, sizeof wrap_marker);
  CHECK_FALSE(ring.reader.next());
  CHECK(ring.reader.violated());
  const std::uint32_t as_it_was = 64;
  std::memcpy(ring.bytes.data() + 8, &as_it_was, sizeof as_it_was);
  CHECK_FALSE(ring.reader.next());  // it is never looked at again
}

TEST_CASE("a length that changes after the check changes nothing") {
  ring_pair ring;
  ring.put(1, 64);
  ring.put(2, 64);
  const auto segment = ring.reader.next();
  REQUIRE(segment);
  const std::uint32_t lie = 60'000;
  std::memcpy(ring.bytes.data() + 8, &lie, sizeof lie);
  CHECK(segment->frames.size() == 32);
  ring.reader.consume();
  REQUIRE(ring.reader.next());
  CHECK(ring.reader.next()->header.first == 2);
}

TEST_CASE("a writer refuses a read position that goes back or beyond what it wrote") {
  for (const std::uint64_t lie : {std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    ring_pair ring;
    while (ring.put(1, max_segment)) {
    }
    ring.read = lie;
    CHECK(ring.writer.open(0).empty());
    CHECK(ring.writer.violated());
  }
  ring_pair ring;
  ring.put(1, max_segment);
  ring.read = ring.written.load();
  while (ring.put(1, max_segment)) {
  }
  ring.read = 0;
  CHECK(ring.writer.open(0).empty());
  CHECK(ring.writer.violated());
}

TEST_CASE("one thread writes a ring while another reads it") {
  ring_pair ring;
  constexpr std::uint64_t count = 20'000;
  std::thread producer([&] {
    for (std::uint64_t i = 0; i < count;) {
      if (ring.put(i, static_cast<std::uint32_t>(32 + i % 5000))) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < count;) {
    const auto segment = ring.reader.next();
    if (!segment) {
      ring.reader.release();
      std::this_thread::yield();
      continue;
    }
    wrong += segment->header.first != i ? 1 : 0;
    wrong += !segment->frames.empty() && segment->frames.back() != static_cast<std::byte>(i & 0xFF) ? 1 : 0;
    ring.reader.consume();
    ring.reader.release();
    ++i;
  }
  producer.join();
  CHECK(wrong == 0);
}
