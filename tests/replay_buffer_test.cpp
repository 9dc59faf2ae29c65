// What a lane over a socket has to send and keeps.
#include "replay_buffer.hpp"

#include <map>

#include "catch.hpp"

using namespace troupe;
using namespace troupe::detail;

namespace {

struct replay {
  unsigned recycled = 0;
  replay_buffer buffer{[this](chunk_ptr) { ++recycled; }};
  std::map<std::uint8_t, std::uint64_t> next;

  /// Of one frame; 0 frames: it only acknowledges.
  std::size_t add(std::uint8_t stream, std::size_t bytes, std::uint16_t frames = 1) {
    std::uint64_t& first = next.try_emplace(stream, 1).first->second;
    auto c = std::make_unique<segment_chunk>();
    c->size = segment_header_bytes + bytes;
    segment_header header;
    header.stream = stream;
    header.first = first;
    header.frames = frames;
    seal_segment(header, byte_span(c->data, c->size), sum::xxh3);
    first += frames;
    const std::size_t size = c->size;
    buffer.add(std::move(c));
    return size;
  }
  /// So much of what goes next.
  std::size_t sent(std::size_t bytes) {
    REQUIRE(buffer.next().size() >= bytes);
    return buffer.sent(bytes);
  }
  /// Sends everything, in pieces of at most `piece` bytes; the stream and first frame of each segment that went.
  std::vector<std::pair<std::uint8_t, std::uint64_t>> send(std::size_t piece, std::size_t* let_go = nullptr) {
    std::vector<std::byte> wire;
    while (!buffer.next().empty()) {
      const byte_view some = buffer.next().first(std::min(piece, buffer.next().size()));
      wire.insert(wire.end(), some.begin(), some.end());
      const std::size_t gone = buffer.sent(some.size());
      if (let_go != nullptr) *let_go += gone;
    }
    std::vector<std::pair<std::uint8_t, std::uint64_t>> seen;
    for (std::size_t at = 0; at != wire.size();) {
      const segment_header h = read_segment_header(wire.data() + at);
      REQUIRE(plausible(h));
      REQUIRE(wire.size() - at >= h.length);
      seen.emplace_back(h.stream, h.first);
      at += h.length;
    }
    return seen;
  }
};

using seen = std::vector<std::pair<std::uint8_t, std::uint64_t>>;

}  // namespace

TEST_CASE("replay: what was sent and not acknowledged is sent again, in order") {
  replay r;
  for (int i = 0; i < 3; ++i) r.add(0, 10);
  CHECK(r.send(7) == seen{{0, 1}, {0, 2}, {0, 3}});
  CHECK(r.buffer.unsent() == 0);
  CHECK(r.buffer.acked(0, 1) == segment_header_bytes + 10);
  CHECK(r.buffer.acked(0, 1) == 0);
  r.add(0, 10);
  CHECK(r.buffer.rewind() == 0);
  CHECK(r.buffer.unsent() == 3 * (segment_header_bytes + 10));
  CHECK(r.send(1000) == seen{{0, 2}, {0, 3}, {0, 4}});
  CHECK(r.buffer.acked(0, 4) == 3 * (segment_header_bytes + 10));
  CHECK(r.buffer.rewind() == 0);
  CHECK(r.send(1000).empty());
}

TEST_CASE("replay: a segment that went in part begins anew") {
  replay r;
  r.add(0, 1000);
  r.add(0, 20'000);
  CHECK(r.sent(500) == 0);
  r.buffer.rewind();
  CHECK(r.send(64) == seen{{0, 1}, {0, 2}});
  r.buffer.rewind();
  CHECK(r.send(64) == seen{{0, 1}, {0, 2}});
}

TEST_CASE("replay: what is acknowledged before it is known to have gone is let go with the last of it") {
  replay r;
  const std::size_t bytes = r.add(0, 1000);
  CHECK(r.sent(500) == 0);
  CHECK(r.buffer.acked(0, 1) == 0);
  CHECK(r.sent(bytes - 500) == bytes);
  CHECK(r.buffer.rewind() == 0);
  CHECK(r.buffer.unsent() == 0);
}

TEST_CASE("replay: streams are acknowledged each for itself") {
  replay r;
  const std::size_t one = r.add(0, 10);
  r.add(1, 10);
  r.add(0, 10);
  CHECK(r.send(1000).size() == 3);
  CHECK(r.buffer.acked(0, 2) == one);  // the second lies before the last in the order in which they went
  r.buffer.rewind();
  CHECK(r.send(1000) == seen{{1, 1}, {0, 2}});
  CHECK(r.buffer.acked(1, 1) == 2 * one);
}

TEST_CASE("replay: what only acknowledges is not kept, and not sent over the next connection") {
  replay r;
  const std::size_t ack = r.add(0, 0, 0);
  r.add(0, 10);
  r.add(0, 0, 0);
  std::size_t let_go = 0;
  CHECK(r.send(5, &let_go).size() == 3);
  CHECK(let_go == 2 * ack);
  r.add(0, 0, 0);
  r.add(0, 0, 0);
  CHECK(r.buffer.rewind() == 2 * ack);
  CHECK(r.send(1000) == seen{{0, 1}});
}

TEST_CASE("replay: acknowledgements between data do not make chunks of few bytes") {
  replay r;
  for (int i = 0; i < 1000; ++i) {
    r.add(0, 10);
    r.add(0, 0, 0);
  }
  CHECK(r.recycled >= 2000 - 4);
  CHECK(r.send(100).size() == 2000);
  r.buffer.acked(0, 500);
  r.buffer.rewind();
  CHECK(r.send(100).size() == 500);
}

TEST_CASE("replay: small segments that went are kept in few chunks") {
  replay r;
  constexpr unsigned many = 5000;
  for (unsigned i = 0; i < many; ++i) {
    r.add(0, 64);
    r.send(1'000'000);
  }
  CHECK(r.recycled > many - many * (64 + segment_header_bytes) / max_segment - 2);
  r.buffer.acked(0, many / 2);
  r.buffer.rewind();
  const seen again = r.send(1'000'000);
  REQUIRE(again.size() == many - many / 2);
  CHECK(again.front().second == many / 2 + 1);
  r.buffer.rewind();  // what was kept in part is kept on
  CHECK(r.send(1'000'000).size() == many - many / 2);
  r.buffer.acked(0, many);
  CHECK(r.buffer.rewind() == 0);
  CHECK(r.buffer.unsent() == 0);
}
