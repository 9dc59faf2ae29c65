// A writer and a reader of a ring that holds two or three segments, over its end and round again.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include "shm_ring.hpp"

using namespace troupe::explorer;
using namespace troupe::detail;

namespace {

constexpr std::size_t ring_bytes = 256;
constexpr std::size_t granules = ring_bytes / ring_alignment;
constexpr unsigned segments = 5;
constexpr std::size_t segment_bytes = segment_header_bytes + 32;

struct ring_model {
  std::array<std::byte, ring_bytes> memory{};
  std::array<plain<unsigned>, granules> owned;  // as the bytes of the ring: what races here races there
  ring_index written;
  ring_index read;
  event more;
  event room;

  void write() {
    ring_writer w(byte_span(memory), written, read);
    for (unsigned i = 1; i <= segments; ++i) {
      byte_span at = w.open(0);
      for (; at.empty(); at = w.open(0)) room.wait();
      segment_header header;
      header.length = segment_bytes;
      header.first = i;
      std::memcpy(at.data(), &header, sizeof header);
      each_granule(at.data(), [i](plain<unsigned>& g) { g.set(i); });
      w.publish(segment_bytes);
      more.signal();
    }
    require(!w.violated(), "the writer says that the reader violates the ring");
  }
  void take() {
    ring_reader r(byte_view(memory), written, read);
    for (unsigned i = 1; i <= segments; ++i) {
      auto next = r.next();
      for (; !next; next = r.next()) more.wait();
      require(next->header.first == i, "a segment is lost, or comes twice");
      each_granule(next->frames.data() - segment_header_bytes,
                   [i](plain<unsigned>& g) { require(g.get() == i, "a segment's bytes are not all there"); });
      r.consume();
      r.release();
      room.signal();
    }
    require(!r.violated(), "the reader says that the writer violates the ring");
  }
  template <class F>
  void each_granule(const std::byte* from, F f) {
    const auto first = static_cast<std::size_t>(from - memory.data()) / ring_alignment;
    for (std::size_t i = first; i < first + segment_bytes / ring_alignment; ++i) f(owned[i]);
  }
};

}  // namespace

TEST_CASE("models: segments cross a ring whole and in order, and none is written over before it is read") {
  check_model("shm_ring.hpp", {.ordered = 4, .needed = 4},
              [](run& r) {
                const auto m = std::make_shared<ring_model>();
                r.thread([=] { m->write(); });
                r.thread([=] { m->take(); });
              },
              {.preemptions = 2, .stale_loads = 2});
}
