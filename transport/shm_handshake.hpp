// How the two sides of a ring wake each other: each sleeps at a gate (sleep_gate.hpp) in its own memory, which the other
// one only reads, and rings a doorbell when it finds the other's shut. Between the two halves of each line stands a
// seq_cst fence, so one of the sides sees the other:
//
//   reader sleeps:        asleep = 1       / look at every `written`
//   writer publishes:     written = ...    / asleep? then ring the reader's doorbell
//   writer has no room:   wants_room = 1   / look at `read`
//   reader gives room:    read = ...       / wants_room? then ring the writer's doorbell
//
// Who hears a doorbell takes what has rung before it waits for it again, and looks after that: at wants_room, and before it sleeps
// at what the reader line says. So what was rung for and taken is seen.
//
// | operation                           | who                                                        |
// | ring_sender: all                    | the stream's own worker                                    |
// | release_ring, stays_asleep          | the home worker of the reader                              |
// | sleep_gate::awake of the reader's   | the home worker of the reader, when its doorbell rang      |
// | sleep_gate::wake of the writer's    | the home worker of the writer, which then tells the stream |
#pragma once

#include <algorithm>

#include <troupe/detail/checked.hpp>
#include <troupe/detail/sleep_gate.hpp>

#include "shm_ring.hpp"

namespace troupe::detail {

class ring_sender {
 public:
  ring_sender(ring_writer ring, sleep_gate& wants_room, const sleep_gate& reader) noexcept
      : ring_(ring), wants_room_(wants_room), reader_(reader) {}

  /// As ring_writer::open. Empty: the writer's home worker will hear when there is room, or the ring is violated.
  byte_span open(std::size_t more) noexcept {
    const byte_span space = ring_.open(more);
    if (!space.empty()) return space;
    store_comes();
    wants_room_.before_last_look();
    return ring_.open(more);
  }
  bool has_room(std::size_t more) noexcept { return ring_.has_room(more); }
  /// True: ring the reader's doorbell.
  bool publish(std::size_t bytes) noexcept {
    ring_.publish(bytes);
    store_comes();  // the doorbell's
    return reader_.asleep_after_post();
  }
  bool violated() const noexcept { return ring_.violated(); }

 private:
  ring_writer ring_;
  sleep_gate& wants_room_;
  const sleep_gate& reader_;
};

enum class released : std::uint8_t { nothing, room, room_that_is_wanted };

/// The writer may use the room of what was consumed. If it wants it, ring its doorbell.
inline released release_ring(ring_reader& ring, const sleep_gate& wants_room) noexcept {
  if (!ring.release()) return released::nothing;
  return wants_room.asleep_after_post() ? released::room_that_is_wanted : released::room;
}

template <class Rings>
bool has_something(Rings& rings) noexcept {
  return std::ranges::any_of(rings, [](ring_reader& r) { return r.next().has_value() || r.violated(); });
}

/// Nothing was found in `rings`. False: now there is something.
template <class Rings>
bool stays_asleep(sleep_gate& reader, Rings& rings) noexcept {
  store_comes();
  reader.before_last_look();
  const bool more = has_something(rings);
  if (more) reader.awake();
  return !more;
}

}  // namespace troupe::detail
