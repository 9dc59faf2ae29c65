// One input of the fuzzer of the ring's reader (ring_fuzzer.cpp; ring_fuzz_test.cpp runs it on random ones): what a peer writes into the
// ring and its position, and when, between the reader's steps. As long as the peer is honest, every segment must come out whole and in
// order; whatever it does, the reader stays inside of the ring, gives no room that it has not taken, and after a violation does nothing.
// The ring is a block of its own, so that the address sanitizer sees each byte beyond it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <span>

#include "shm_ring.hpp"

namespace fuzz {

using namespace troupe::detail;

inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "the reader of the ring: %s\n", what);
  std::abort();
}

/// Numbers out of the input, zeros when it is used up.
class numbers_of {
 public:
  explicit numbers_of(std::span<const std::uint8_t> input) noexcept : rest_(input) {}
  bool empty() const noexcept { return rest_.empty(); }
  template <class Number>
  Number take() noexcept {
    Number n = 0;
    const std::size_t size = std::min(sizeof n, rest_.size());
    std::memcpy(&n, rest_.data(), size);
    rest_ = rest_.subspan(size);
    return n;
  }
  std::span<const std::uint8_t> bytes(std::size_t most) noexcept {
    const auto some = rest_.first(std::min(most, rest_.size()));
    rest_ = rest_.subspan(some.size());
    return some;
  }

 private:
  std::span<const std::uint8_t> rest_;
};

class ring_under_attack {
 public:
  static constexpr std::size_t size = 4096;

  void run(std::span<const std::uint8_t> input) {
    numbers_of in(input);
    while (!in.empty()) {
      switch (in.take<std::uint8_t>() % 10) {
        case 0: scribble(in); break;
        case 1: honest_ = false, write(in.take<std::uint64_t>()); break;
        case 2: honest_ = false, write(written_.load() + (in.take<std::uint8_t>() - 128u) * 8u); break;
        case 3: publish(segment_header_bytes + in.take<std::uint16_t>() % (size / 4)); break;
        case 4: look(); break;
        case 5: look(), consume(); break;
        case 6: release(); break;
        case 7: lie_about_a_length(in, in.take<std::uint32_t>()); break;
        case 8: lie_about_a_length(in, in.take<std::uint8_t>(), true); break;
        default: look(), look_again(in); break;
      }
    }
    for (int i = 0; i < 3; ++i) look(), consume(), release();
  }

 private:
  void write(std::uint64_t position) {
    written_ = position;
    most_written_ = std::max(most_written_, position);
  }
  void scribble(numbers_of& in) {
    honest_ = false;
    const std::size_t from = in.take<std::uint16_t>() % size;
    const auto what = in.bytes(std::min<std::size_t>(in.take<std::uint8_t>() % 64, size - from));
    if (!what.empty()) std::memcpy(memory_.get() + from, what.data(), what.size());
  }
  /// Of one of the last segments; `beyond`: so much more than there is up to the end of the ring.
  void lie_about_a_length(numbers_of& in, std::uint32_t length, bool beyond = false) {
    honest_ = false;
    const std::size_t place = places_[in.take<std::uint8_t>() % std::size(places_)];
    if (beyond) length += static_cast<std::uint32_t>(size - place);
    std::memcpy(memory_.get() + place + offsetof(segment_header, length), &length, sizeof length);
  }
  /// As ring_writer does it, if there is room.
  void publish(std::size_t length) {
    std::uint64_t position = written_.load();
    const std::size_t place = position % size;
    const std::size_t to_end = size - place;
    const std::size_t waste = to_end < ring_align(size / 4 + segment_header_bytes) ? to_end : 0;
    if (position - read_.load() > size || size - (position - read_.load()) < waste + ring_align(length))
      return;
    if (place % ring_alignment != 0) return;
    segment_header header;
    header.length = wrap_marker;
    if (waste >= sizeof header) std::memcpy(memory_.get() + place, &header, sizeof header);
    position += waste;
    header.length = static_cast<std::uint32_t>(length);
    header.first = ++published_;
    places_[published_ % std::size(places_)] = position % size;
    std::memcpy(memory_.get() + position % size, &header, sizeof header);
    std::memset(memory_.get() + position % size + sizeof header, static_cast<int>(published_ & 0xFF),
                length - sizeof header);
    write(position + ring_align(length));
    if (honest_) expected_.push_back({published_, length});
  }

  void look() {
    current_ = reader_.next();
    if (violated_) must(!current_, "a segment after a violation");
    violated_ = reader_.violated();
    if (honest_) {
      must(!violated_, "an honest writer is said to have violated it");
      must(current_.has_value() == !expected_.empty(), "a segment is missing");
    }
    if (!current_) return;
    const byte_view frames = current_->frames;
    must(frames.data() >= memory_.get() + segment_header_bytes &&
             frames.data() + frames.size() <= memory_.get() + size,
         "frames outside of the ring");
    must(frames.size() + segment_header_bytes == current_->header.length,
         "frames that are not as long as their header says");
    const auto place = static_cast<std::size_t>(frames.data() - memory_.get()) - segment_header_bytes;
    begin_ = position_ + (place + size - position_ % size) % size;
    must(begin_ + ring_align(current_->header.length) <= most_written_, "a segment that was never written");
    read_all(frames);
    if (!honest_) return;
    must(current_->header.first == expected_.front().number &&
             current_->header.length == expected_.front().length,
         "another segment than the next");
    for (const std::byte b : frames)
      must(b == static_cast<std::byte>(expected_.front().number & 0xFF), "a byte of another segment");
  }
  /// While the segment is being looked at, the peer writes all over it.
  void look_again(numbers_of& in) {
    if (!current_) return;
    scribble(in);
    read_all(current_->frames);
    byte_view rest = current_->frames;
    frame_view frame;
    while (next_frame(rest, frame)) {
      scribble(in);
      must(frame.body.empty() || (frame.body.data() >= memory_.get() &&
                                  frame.body.data() + frame.body.size() <= memory_.get() + size),
           "a frame outside of the ring");
      read_all(frame.body);
    }
  }
  void consume() {
    if (!current_) return;
    reader_.consume();
    position_ = begin_ + ring_align(current_->header.length);
    current_.reset();
    if (honest_) expected_.pop_front();
  }
  void release() {
    const std::uint64_t before = read_.load();
    reader_.release();
    must(read_.load() >= before, "room is taken back");
    must(read_.load() <= most_written_, "room is given that was never written");
    current_.reset();
  }
  /// So that a sanitizer sees each of these bytes read.
  void read_all(byte_view bytes) {
    for (const std::byte b : bytes) sum_ = sum_ + std::to_integer<unsigned>(b);
  }

  struct honest_segment {
    std::uint64_t number;
    std::size_t length;
  };
  const std::unique_ptr<std::byte[]> memory_{new std::byte[size]()};  // aligned as all that new gives
  ring_index written_{0};
  ring_index read_{0};
  ring_reader reader_{{memory_.get(), size}, written_, read_};
  std::optional<ring_reader::segment> current_;
  bool honest_ = true;
  bool violated_ = false;
  std::size_t places_[8] = {};
  std::uint64_t most_written_ = 0;
  std::uint64_t position_ = 0;  // the reader's, and where the current segment begins
  std::uint64_t begin_ = 0;
  std::uint64_t published_ = 0;
  std::deque<honest_segment> expected_;
  volatile unsigned sum_ = 0;
};

}  // namespace fuzz
