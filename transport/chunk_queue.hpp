// What one stream sends in chunks: messages and replies that do not fit into a frame and are not lent, encoded, one after the other; and
// between them the control notes that may not overtake them. Touched by the stream's own worker alone.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include <troupe/detail/wire_type.hpp>

#include "frame.hpp"
#include "lender.hpp"

namespace troupe::detail {

struct destination;

/// The bytes of the encoding, with the list of what it lends.
std::size_t encoded_size(const wire_type& type, const void* message, void* context, outgoing_loans* loans);
/// For what is over a frame; null: there is none.
std::unique_ptr<std::byte[]> chunk_memory(std::size_t bytes) noexcept;

/// The body of a message, a reply or a note on its way.
class chunked_frame {
 public:
  chunked_frame(const frame_header& header, std::unique_ptr<std::byte[]> bytes, std::size_t total) noexcept
      : header_(header), bytes_(std::move(bytes)), total_(total) {}
  /// A note, which is one frame.
  chunked_frame(const frame_header& header, byte_view note)
      : header_(header), bytes_(std::make_unique<std::byte[]>(note.size())), total_(note.size()) {
    store_bytes(bytes_.get(), note);
  }

  std::size_t total() const noexcept { return total_; }
  bool is_note() const noexcept { return header_.kind == frame_kind::control; }
  bool at_start() const noexcept { return sent_ == 0; }
  bool at_end() const noexcept { return sent_ == total_; }
  /// But for a message's route and deadline.
  frame_header next_header() const noexcept {
    if (!at_start()) return {frame_kind::chunk, 0, 0, 0, 0};
    frame_header first = header_;
    if (!is_note()) first.total = total_;
    return first;
  }
  byte_view next_bytes() const noexcept {
    return {bytes_.get() + sent_, std::min(total_ - sent_, max_chunk)};
  }
  void advance(std::size_t bytes) noexcept { sent_ += bytes; }

  destination* to = nullptr;  // of a message; null: it is none
  const wire_type* type = nullptr;
  instant deadline{};

 private:
  frame_header header_;
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t total_;
  std::size_t sent_ = 0;
};

/// Empty: there is no memory for it. If it fails on this link, its total is not `bytes`.
std::optional<chunked_frame> encode_chunked(frame_header header, const wire_type& type, const void* message,
                                            void* context, outgoing_loans* loans, std::size_t bytes);

class chunk_queue {
 public:
  chunked_frame* front() noexcept { return queue_.empty() ? nullptr : &queue_.front(); }
  void add(chunked_frame f) {
    (f.to != nullptr ? messages_ : answers_) += f.to != nullptr ? 1 : cost(f);
    queue_.push_back(std::move(f));
  }
  void pop() noexcept {
    const chunked_frame& f = queue_.front();
    (f.to != nullptr ? messages_ : answers_) -= f.to != nullptr ? 1 : cost(f);
    queue_.pop_front();
  }
  void clear() noexcept {
    queue_.clear();
    messages_ = answers_ = 0;
  }

  /// Messages that have not gone to their end.
  std::uint64_t messages() const noexcept { return messages_; }
  /// Of replies and notes, which no credit bounds.
  std::size_t bytes_of_answers() const noexcept { return answers_; }

 private:
  static std::size_t cost(const chunked_frame& f) noexcept { return sizeof f + f.total(); }

  std::deque<chunked_frame> queue_;
  std::uint64_t messages_ = 0;
  std::size_t answers_ = 0;
};

}  // namespace troupe::detail
