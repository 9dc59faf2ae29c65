#include "replay_buffer.hpp"

#include <algorithm>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/checked.hpp>

namespace troupe::detail {
namespace {

/// Chunks have nothing but acknowledgements, or nothing of the kind.
bool only_acknowledges(const segment_chunk& c) noexcept { return read_segment_header(c.data).frames == 0; }

}  // namespace

void replay_buffer::append(chunks& to, chunk_ptr c) {
  constexpr std::size_t worth_a_copy = 8 * 1024;
  segment_chunk* const last = to.empty() ? nullptr : to.back().get();
  const std::size_t bytes = c->size - c->acked;
  const bool fits = last != nullptr && bytes <= worth_a_copy && bytes <= max_segment - last->size;
  if (!fits || only_acknowledges(*last) != only_acknowledges(*c)) return to.push_back(std::move(c));
  std::memcpy(last->data + last->size, c->data + c->acked, bytes);
  last->size += bytes;
  recycle_(std::move(c));
}

void replay_buffer::add(chunk_ptr segment) {
  unsent_bytes_ += segment->size;
  append(unsent_, std::move(segment));
}

byte_view replay_buffer::next() const noexcept {
  if (unsent_.empty()) return {};
  const segment_chunk& c = *unsent_.front();
  return {c.data + c.sent, c.size - c.sent};
}

std::size_t replay_buffer::sent(std::size_t bytes) {
  segment_chunk& c = *unsent_.front();
  TROUPE_ASSERT(bytes <= c.size - c.sent, "the connection took more than it was given");
  c.sent += bytes;
  unsent_bytes_ -= bytes;
  if (c.sent != c.size) return 0;
  chunk_ptr whole = std::move(unsent_.front());
  unsent_.pop_front();
  if (only_acknowledges(*whole)) {
    const std::size_t gone = whole->size;
    recycle_(std::move(whole));
    return gone;
  }
  append(kept_, std::move(whole));
  if (mutated(mutant::early_trim)) acked_.fill(~std::uint64_t{1});
  return drop_acked(kept_);
}

std::size_t replay_buffer::acked(std::uint8_t stream, std::uint64_t sequence) {
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
  chunks all = std::exchange(kept_, {});
  std::size_t gone = 0;
  if (mutated(mutant::lost_kept)) all.clear();
  if (mutated(mutant::lost_unsent)) unsent_.clear();
  for (chunk_ptr& c : unsent_) {
    if (!only_acknowledges(*c)) {
      all.push_back(std::move(c));
    } else {
      gone += c->size;
      recycle_(std::move(c));
    }
  }
  gone += drop_acked(all);
  unsent_bytes_ = 0;
  for (const chunk_ptr& c : all) {
    c->sent = c->acked;
    unsent_bytes_ += c->size - c->sent;
  }
  unsent_ = std::move(all);
  return gone;
}

void replay_buffer::clear() {
  kept_.clear();
  unsent_.clear();
  unsent_bytes_ = 0;
}

}  // namespace troupe::detail
