// What a lane over a socket has to send, and what it keeps until the peer has acknowledged it: the bytes for its connection, and
// for the next one if that breaks. The lane's home worker only; chunks are filled anywhere.
//
// Segments lie in chunks, each as it was published, in the order in which they go. A chunk that went is kept until every
// segment in it is acknowledged; the segments say themselves which stream and which frames they are, so nothing else is
// recorded. What only acknowledges is not kept: it lies in chunks of its own, which go as soon as the chunk under way has gone,
// and the next connection begins with what both sides have received. A small segment is copied behind the bytes of the chunk before it, so that one send
// carries many and what is kept is dense; large ones are never copied.
//
// rewind() makes all that is kept unsent again. Segments that the peer has although it could not say so are sent
// twice then, and dropped there by their numbers.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "segment.hpp"

namespace troupe::detail {

/// Room for one segment or several small ones.
struct segment_chunk {
  std::size_t size = 0;
  std::size_t sent = 0;
  std::size_t acked = 0;  // the segments up to here are
  std::byte data[max_segment];
};
using chunk_ptr = std::unique_ptr<segment_chunk>;

class replay_buffer {
 public:
  /// `recycle` takes chunks that are not needed any more.
  explicit replay_buffer(std::function<void(chunk_ptr)> recycle) : recycle_(std::move(recycle)) {}

  /// One segment, whole.
  void add(chunk_ptr segment);
  /// What goes next; empty: everything has gone. Valid until sent(), also if more is added.
  byte_view next() noexcept;
  /// The connection has taken so many bytes of next(). The answer: how many bytes need not be kept.
  std::size_t sent(std::size_t bytes);
  /// The peer has taken the frames of `stream` up to `sequence`. The answer: how many bytes need not be kept any more.
  std::size_t acked(std::uint8_t stream, std::uint64_t sequence);
  /// The connection is lost. The answer: how many bytes will not be sent any more.
  std::size_t rewind();
  void clear();

  std::size_t unsent() const noexcept { return unsent_bytes_; }

 private:
  using chunks = std::deque<chunk_ptr>;

  void append(chunks& to, chunk_ptr c);
  std::size_t drop_acked(chunks& from);
  bool is_acked(const segment_header& header) const noexcept {
    return header.stream < acked_.size() && header.first + header.frames <= acked_[header.stream] + 1;
  }

  std::function<void(chunk_ptr)> recycle_;
  chunks kept_;                  // went, and is not acknowledged
  chunks unsent_;                // the first perhaps in part
  chunks acks_;                  // the same, of what only acknowledges
  chunks* under_way_ = nullptr;  // of these two the one whose first chunk goes
  std::size_t unsent_bytes_ = 0;
  std::vector<std::uint64_t> acked_;  // by stream: the last frame
};

}  // namespace troupe::detail
