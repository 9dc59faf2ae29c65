// A ring of segments in shared memory with one writer and one reader, in two processes that do not trust each
// other.
//
// Positions count bytes from the start and never go back; position modulo size is the place. The writer owns
// the ring's memory and `written`; the reader owns `read` and maps the rest read-only. A segment lies in one
// piece, aligned to 8: where the rest of the ring is too short for the largest one, a wrap marker (or
// nothing, if not even a header fits) says to go on at the start. A segment becomes visible, whole, with one
// release store of `written`: a writer that is killed before it leaves nothing, and never blocks the reader.
//
// | operation              | who    | edge                                                                 |
// | open: load read        | writer | acquire: the reader is done with the bytes that are written over     |
// | publish: store written | writer | release, with the reader's load: the segment's bytes                 |
// | next: load written     | reader | acquire                                                              |
// | release: store read    | reader | release, with the writer's load                                      |
//
// Each index that the other side wrote is loaded once and checked: it may only grow, and only to what exists.
// After a violation neither side touches the ring again.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

#include <troupe/detail/atomic.hpp>
#include <troupe/detail/checked.hpp>

#include "segment.hpp"

namespace troupe::detail {

using ring_index = atomic<std::uint64_t>;
static_assert(ring_index::is_always_lock_free, "indices in shared memory must be plain loads and stores");

inline constexpr std::size_t ring_alignment = 8;
inline constexpr std::uint32_t wrap_marker = 0xFFFF'FFFE;  // in place of a segment's length
inline constexpr std::uint32_t smallest_ring = 256 * 1024;
inline constexpr std::uint32_t largest_ring = 64 * 1024 * 1024;

constexpr bool is_ring_size(std::uint32_t bytes) noexcept {
  return std::has_single_bit(bytes) && bytes >= smallest_ring && bytes <= largest_ring;
}

inline constexpr std::size_t ring_align(std::size_t bytes) noexcept {
  return (bytes + ring_alignment - 1) & ~(ring_alignment - 1);
}
inline constexpr std::size_t ring_segment = ring_align(max_segment);

class ring_writer {
 public:
  /// `ring` has a power of two of bytes, zero at first.
  ring_writer(byte_span ring, ring_index& written, const ring_index& read) noexcept
      : ring_(ring), written_(written), read_(read) {}

  /// max_segment contiguous bytes, if `more` bytes beyond them are free too; else empty.
  byte_span open(std::size_t more) noexcept {
    if (!fits(more) && !(refresh() && fits(more))) return {};
    const std::size_t place = position_ & (ring_.size() - 1);
    skip_ = waste();
    if (skip_ >= segment_header_bytes) {
      segment_header marker;
      marker.length = wrap_marker;
      store_comes();
      std::memcpy(ring_.data() + place, &marker, sizeof marker);
    }
    return ring_.subspan(skip_ != 0 ? 0 : place, max_segment);
  }
  bool has_room(std::size_t more) noexcept { return fits(more) || (refresh() && fits(more)); }

  /// The first `bytes` that open() gave become visible.
  void publish(std::size_t bytes) noexcept {
    position_ += skip_ + ring_align(bytes);
    store_comes();
    written_.store(position_, std::memory_order_release);
  }
  /// The reader claimed to have read what was never written.
  bool violated() const noexcept { return violated_; }

 private:
  std::size_t waste() const noexcept {
    const std::size_t to_end = ring_.size() - (position_ & (ring_.size() - 1));
    return to_end < ring_segment ? to_end : 0;
  }
  bool fits(std::size_t more) const noexcept {
    return !violated_ && ring_.size() - (position_ - read_seen_) >= waste() + ring_segment + more;
  }
  bool refresh() noexcept {
    const std::uint64_t read = read_.load(std::memory_order_acquire);
    if (read < read_seen_ || read > position_) violated_ = true;
    if (!violated_) read_seen_ = read;
    return !violated_;
  }

  byte_span ring_;
  ring_index& written_;
  const ring_index& read_;
  std::uint64_t position_ = 0;
  std::uint64_t read_seen_ = 0;
  std::size_t skip_ = 0;
  bool violated_ = false;
};

class ring_reader {
 public:
  ring_reader(byte_view ring, const ring_index& written, ring_index& read) noexcept
      : ring_(ring), written_(written), read_(read) {}

  struct segment {
    segment_header header;
    byte_view frames;
  };
  /// The next segment; stays the next until consume(). Empty: none has been written, or the ring is violated.
  std::optional<segment> next() noexcept {
    for (;;) {
      if (position_ == limit_ && !refresh()) return std::nullopt;
      const std::size_t place = position_ & (ring_.size() - 1);
      const std::size_t to_end = ring_.size() - place;
      if (to_end < segment_header_bytes) {
        if (!skip(to_end)) return std::nullopt;
        continue;
      }
      if (limit_ - position_ < segment_header_bytes) return give_up();
      const segment_header header = read_segment_header(ring_.data() + place);
      if (header.length == wrap_marker) {
        if (!skip(to_end)) return std::nullopt;
        continue;
      }
      if (!plausible(header) || header.length > to_end || ring_align(header.length) > limit_ - position_) {
        return give_up();
      }
      length_ = header.length;
      return segment{header, ring_.subspan(place + segment_header_bytes, length_ - segment_header_bytes)};
    }
  }
  void consume() noexcept { position_ += ring_align(length_); }
  /// The writer may use the room of what was consumed. True if there was any.
  bool release() noexcept {
    if (position_ == released_) return false;
    released_ = position_;
    store_comes();
    read_.store(position_, std::memory_order_release);
    return true;
  }
  bool violated() const noexcept { return violated_; }

 private:
  bool refresh() noexcept {
    if (violated_) return false;
    const std::uint64_t written = written_.load(std::memory_order_acquire);
    if (written < limit_ || written - released_ > ring_.size() || written % ring_alignment != 0) {
      violated_ = true;
      return false;
    }
    limit_ = written;
    return position_ != limit_;
  }
  bool skip(std::size_t bytes) noexcept {
    if (limit_ - position_ < bytes) {
      give_up();
      return false;
    }
    position_ += bytes;
    return true;
  }
  std::optional<segment> give_up() noexcept {
    violated_ = true;
    limit_ = position_;
    return std::nullopt;
  }

  byte_view ring_;
  const ring_index& written_;
  ring_index& read_;
  std::uint64_t position_ = 0;  // of the next segment
  std::uint64_t limit_ = 0;     // what was seen of `written`
  std::uint64_t released_ = 0;
  std::size_t length_ = 0;
  bool violated_ = false;
};

}  // namespace troupe::detail
