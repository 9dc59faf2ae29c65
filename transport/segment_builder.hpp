// Builds the segments of one sending stream in place, in the room that the lane gives, and keeps the record
// of what was sent until it is acknowledged. Touched by the stream's own worker; sealed() is for any thread, relaxed:
// who has an answer to a frame got it by way of the lane, which brings what was stored before the frame was published.
//
// Records hold (last sequence, messages) for each segment with messages. They are bounded: when the peer
// acknowledges nothing for a long time the newest record grows instead of a new one being added. The
// bytes themselves are the lane's to keep (replay_buffer.hpp).
//
// A stream that moves to another lane pauses first: from then on it publishes acknowledgements only.
#pragma once

#include <atomic>
#include <deque>

#include <troupe/assert.hpp>

#include "lane.hpp"

namespace troupe::detail {

/// Supplies the acknowledgements that ride on segments; only the home worker's stream has one.
class ack_source {
 public:
  virtual ~ack_source() = default;
  /// Fills in the next acknowledgement that is due to be said, if there is one.
  virtual bool take_ack(segment_header& into) = 0;
};

class segment_builder {
 public:
  static constexpr std::size_t max_records = 4096;

  segment_builder(lane_port& port, sum how, std::uint8_t stream, ack_source* acks) noexcept
      : port_(&port), acks_(acks), sum_(how), stream_(stream) {}

  /// What is left of the open segment, at least `bytes` (up to max_frame); seals it and opens another if it
  /// has less. Empty: the lane is full.
  byte_span space(std::size_t bytes, room from) {
    if (!room_.empty() && room_.size() - used_ < bytes) seal();
    if (room_.empty()) {
      if (paused_ && from != room::acknowledgement) return {};
      room_ = port_->open(from);
      if (room_.empty()) return {};
      used_ = segment_header_bytes;
    }
    return room_.subspan(used_);
  }
  bool has_room(unsigned segments) { return !paused_ && port_->has_room(segments); }

  /// The first `bytes` of space() are a frame now.
  void add(std::size_t bytes, bool is_message) noexcept {
    used_ += bytes;
    ++frames_;
    messages_ += is_message ? 1 : 0;
    frame_counter_.store(frame_counter_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  /// Publishes the open segment, if it has frames; otherwise gives its room back.
  void seal();
  /// Publishes a segment that only acknowledges. False: nothing to say, or the lane is full.
  bool seal_ack();

  /// Publishes what there is.
  void pause() {
    seal();
    paused_ = true;
  }
  /// Ends the pause.
  void move_to(lane_port& port, sum how) {
    TROUPE_ASSERT(paused_ && room_.empty(), "a stream pauses before it moves to another lane");
    port_ = &port;
    sum_ = how;
    paused_ = false;
  }

  /// The number of the last frame that was published; an ack beyond it is a lie. Any thread.
  std::uint64_t sealed() const noexcept { return sealed_.load(std::memory_order_relaxed); }
  std::uint64_t frames_out() const noexcept { return frame_counter_.load(std::memory_order_relaxed); }

  std::uint64_t last_added() const noexcept { return next_ + frames_ - 1; }

  /// Everything up to `sequence` arrived; how many messages that were.
  std::uint64_t acked(std::uint64_t sequence) noexcept;
  std::uint64_t unacked() const noexcept;

 private:
  struct record {
    std::uint64_t last;
    std::uint64_t messages;
  };
  void publish(segment_header header);

  lane_port* port_;
  ack_source* acks_;
  sum sum_;
  byte_span room_;
  std::size_t used_ = 0;
  std::uint32_t messages_ = 0;
  std::uint16_t frames_ = 0;
  std::uint8_t stream_;
  bool paused_ = false;
  std::uint64_t next_ = 1;
  std::atomic<std::uint64_t> sealed_{0};
  std::atomic<std::uint64_t> frame_counter_{0};
  std::deque<record> records_;
};

}  // namespace troupe::detail
