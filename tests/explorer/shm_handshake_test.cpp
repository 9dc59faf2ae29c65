// The two handshakes of a ring in shared memory: a reader that falls asleep, and a writer that has no room.
#include "explorer/models.hpp"

#include <array>
#include <memory>

#include "shm_handshake.hpp"

using namespace troupe::explorer;
using namespace troupe::detail;

namespace {

constexpr std::size_t segment_bytes = segment_header_bytes + 32;

struct ring_model {
  std::array<std::byte, 256> memory{};
  ring_index written;
  ring_index read;
  sleep_gate asleep;
  sleep_gate wants_room;
  event readers_doorbell;
  event writers_doorbell;
  event told;
  troupe::explorer::atomic<bool> over{false};
  std::array<ring_reader, 1> rings{ring_reader(byte_view(memory), written, read)};
  ring_sender sender{ring_writer(byte_span(memory), written, read), wants_room, asleep};

  /// The stream's own worker. True: the reader is to be woken.
  bool write(unsigned number) {
    byte_span at = sender.open(0);
    for (; at.empty(); at = sender.open(0)) told.wait();
    segment_header header;
    header.length = segment_bytes;
    header.first = number;
    std::memcpy(at.data(), &header, sizeof header);
    return sender.publish(segment_bytes);
  }
  /// The home worker of the writer.
  void listen() {
    do {
      writers_doorbell.wait();
      if (wants_room.wake()) told.signal();
    } while (!over.load(std::memory_order_relaxed));
  }
  /// What there is; true: the writer is to be woken.
  bool take(unsigned& count) {
    while (const auto next = rings[0].next()) {
      require(next->header.first == ++count, "a segment is lost, or comes twice");
      rings[0].consume();
    }
    require(!rings[0].violated() && !sender.violated(), "the ring is violated");
    return release_ring(rings[0], wants_room) == released::room_that_is_wanted;
  }
};

}  // namespace

TEST_CASE("models: a reader of shared memory that falls asleep misses no segment") {
  check_model("sleep_gate.hpp", {.ordered = 2, .needed = 2}, [](run& r) {
    const auto m = std::make_shared<ring_model>();
    constexpr unsigned segments = 2;  // there is room for them
    r.thread([=] {
      for (unsigned i = 1; i <= segments; ++i) {
        if (m->write(i)) m->readers_doorbell.signal();
      }
    });
    r.thread([=] {
      for (unsigned count = 0; count != segments;) {
        const unsigned before = count;
        m->take(count);
        if (count != before || !stays_asleep(m->asleep, m->rings)) continue;
        m->readers_doorbell.wait();
        m->asleep.awake();
      }
    });
  });
}

TEST_CASE("models: a writer of shared memory that has no room is told when it has") {
  check_model("sleep_gate.hpp", {.ordered = 2, .needed = 2},
              [](run& r) {
                const auto m = std::make_shared<ring_model>();
                const auto more = std::make_shared<event>();
                constexpr unsigned segments = 4;  // the ring holds two or three
                r.thread([=] {
                  for (unsigned i = 1; i <= segments; ++i) {
                    m->write(i);
                    more->signal();
                  }
                });
                r.thread([=] { m->listen(); });
                r.thread([=] {
                  for (unsigned count = 0; count != segments;) {
                    more->wait();
                    if (m->take(count)) m->writers_doorbell.signal();
                  }
                  m->over.store(true, std::memory_order_relaxed);
                  m->writers_doorbell.signal();
                });
              },
              {.preemptions = 2, .stale_loads = 2});
}
