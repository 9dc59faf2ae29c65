#include "segment_builder.hpp"

#include <utility>

#include <troupe/detail/checked.hpp>

namespace troupe::detail {

void segment_builder::seal() {
  if (room_.empty()) return;
  if (frames_ == 0) {
    room_ = {};
    port_->publish(0);
    return;
  }
  segment_header header;
  if (acks_ != nullptr) acks_->take_ack(header);
  publish(header);
}

bool segment_builder::seal_ack() {
  if (space(frame_word_bytes, room::acknowledgement).empty()) return false;
  segment_header header;
  const bool something = acks_->take_ack(header);
  if (something) {
    publish(header);
  } else {
    seal();
  }
  return something;
}

void segment_builder::publish(segment_header header) {
  header.stream = stream_;
  header.first = next_;
  header.frames = frames_;
  next_ += frames_;
  if (messages_ != 0) {
    if (records_.size() < max_records) {
      records_.push_back({next_ - 1, messages_});
    } else {
      records_.back() = {next_ - 1, records_.back().messages + messages_};
    }
  }
  if (mutated(mutant::early_publish)) port_->publish(used_);
  store_comes();
  seal_segment(header, room_.first(used_), sum_);
  sealed_.store(next_ - 1, std::memory_order_relaxed);  // before the peer can see the frames and answer them
  room_ = {};
  frames_ = 0;
  messages_ = 0;
  if (!mutated(mutant::early_publish)) port_->publish(used_);
}

std::uint64_t segment_builder::acked(std::uint64_t sequence) noexcept {
  std::uint64_t messages = 0;
  while (!records_.empty() && records_.front().last <= sequence) {
    messages += records_.front().messages;
    records_.pop_front();
  }
  return messages;
}

std::uint64_t segment_builder::unacked() const noexcept {
  std::uint64_t messages = messages_;
  for (const record& r : records_) messages += r.messages;
  return messages;
}

}  // namespace troupe::detail
