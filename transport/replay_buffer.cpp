#include "replay_buffer.hpp"

#include <algorithm>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/checked.hpp>

namespace troupe::detail {
void replay_buffer::append(chunks& to, chunk_ptr c) {
  constexpr std::size_t worth_a_copy = 8 * 1024;
  segment_chunk* const last = to.empty() ? nullptr : to.back().get();
  const std::size_t bytes = c->size - c->acked;
  const bool fits = last != nullptr && bytes <= worth_a_copy && bytes <= max_segment - last->size;
  if (!fits) return to.push_back(std::move(c));
  std::memcpy(last->data + last->size, c->data + c->acked, bytes);
  last->size += bytes;
  recycle_(std::move(c));
}

void replay_buffer::add(chunk_ptr segment) {
  const bool only_acknowledges = read_segment_header(segment->data).frames == 0;
  unsent_bytes_ += segment->size;
  append(only_acknowledges ? acks_ : unsent_, std::move(segment));
}

byte_view replay_buffer::next() noexcept {
  if (under_way_ == nullptr) under_way_ = !acks_.empty() ? &acks_ : &unsent_;
  if (under_way_->empty()) {
    under_way_ = nullptr;
    return {};
  }
  const segment_chunk& c = *under_way_->front();
  return {c.data + c.sent, c.size - c.sent};
}

std::size_t replay_buffer::sent(std::size_t bytes) {
  TROUPE_ASSERT(under_way_ != nullptr, "what the connection has taken, next() has given");
  segment_chunk& c = *under_way_->front();
  TROUPE_ASSERT(bytes <= c.size - c.sent, "the connection took more than it was given");
  c.sent += bytes;
  unsent_bytes_ -= bytes;
  if (c.sent != c.size) return 0;
  chunks& from = *std::exchange(under_way_, nullptr);
  chunk_ptr whole = std::move(from.front());
  from.pop_front();
  if (&from == &acks_) {
    const std::size_t gone = whole->size;
    recycle_(std::move(whole));
    return gone;
  }
  append(kept_, std::move(whole));
  if (mutated(mutant::early_trim)) acked_.assign(256, ~std::uint64_t{1});
  return drop_acked(kept_);
}

std::size_t replay_buffer::acked(std::uint8_t stream, std::uint64_t sequence) {
  if (acked_.size() <= stream) acked_.resize(stream + 1u);
  acked_[stream] = std::max(acked_[stream], sequence);
  return drop_acked(kept_);
}

std::size_t replay_buffer::drop_acked(chunks& from) {
  std::size_t dropped = 0;
  if (mutated(mutant::no_trim)) return dropped;
  while (!from.empty()) {
    segment_chunk& c = *from.front();
    while (c.acked != c.size) {
      const segment_header header = read_segment_header(c.data + c.acked);
      if (!is_acked(header)) return dropped;
      c.acked += header.length;
      dropped += header.length;
    }
    recycle_(std::move(from.front()));
    from.pop_front();
  }
  return dropped;
}

std::size_t replay_buffer::rewind() {
  std::size_t gone = 0;
  for (const chunk_ptr& c : acks_) gone += c->size;
  acks_.clear();
  under_way_ = nullptr;
  if (mutated(mutant::lost_kept)) kept_.clear();
  if (mutated(mutant::lost_unsent)) unsent_.clear();
  for (; !kept_.empty(); kept_.pop_back()) unsent_.push_front(std::move(kept_.back()));
  gone += drop_acked(unsent_);
  unsent_bytes_ = 0;
  for (const chunk_ptr& c : unsent_) {
    c->sent = c->acked;
    unsent_bytes_ += c->size - c->sent;
  }
  return gone;
}

void replay_buffer::clear() {
  kept_.clear();
  unsent_.clear();
  acks_.clear();
  under_way_ = nullptr;
  unsent_bytes_ = 0;
}

}  // namespace troupe::detail
