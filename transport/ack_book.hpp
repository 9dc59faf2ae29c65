// What this side has received and still has to acknowledge, for each of the peer's streams. Acknowledgements
// ride on whatever the home worker's stream sends; when it sends nothing they become due 20 ms after the
// first frame or after 256 KiB. Each is said once to a lane: an idle link is silent but for its probes (link_session.hpp). Home worker
// only.
#pragma once

#include <vector>

#include "lane.hpp"

namespace troupe::detail {

class ack_book {
 public:
  static constexpr duration patience = std::chrono::milliseconds(20);
  static constexpr std::size_t patience_bytes = 256 * 1024;

  /// `owner` is asked to flush when an acknowledgement becomes due.
  ack_book(unsigned streams, worker& home, std::function<void()> flush)
      : home_(home), flush_(std::move(flush)), streams_(streams) {}

  void received(unsigned stream, std::uint64_t last, std::size_t bytes) {
    streams_[stream].received = last;
    bytes_ += bytes;
    if (bytes_ >= patience_bytes) return make_due();
    if (!timer_.armed()) home_.timers().arm(timer_, home_.now() + patience);
  }
  void make_due() {
    due_ = true;
    home_.timers().cancel(timer_);
    flush_();
  }
  bool due() const noexcept { return due_; }
  bool anything_to_say() const noexcept {
    for (const entry& e : streams_) {
      if (e.said != e.received) return true;
    }
    return false;
  }

  /// What was said may not have been heard.
  void say_again() {
    for (entry& e : streams_) e.said = 0;
    if (anything_to_say()) make_due();
  }

  bool take(segment_header& into) {
    for (std::size_t tried = 0; tried < streams_.size(); ++tried) {
      const std::size_t stream = turn_;
      turn_ = (turn_ + 1) % streams_.size();
      entry& e = streams_[stream];
      if (e.said == e.received) continue;
      e.said = e.received;
      into.acked_stream = static_cast<std::uint8_t>(stream);
      into.ack = e.received;
      if (!anything_to_say()) rest();
      return true;
    }
    rest();
    return false;
  }
  void rest() {
    due_ = false;
    bytes_ = 0;
    home_.timers().cancel(timer_);
  }

 private:
  struct entry {
    std::uint64_t received = 0;
    std::uint64_t said = 0;
  };

  worker& home_;
  std::function<void()> flush_;
  std::vector<entry> streams_;
  std::size_t turn_ = 0;
  std::size_t bytes_ = 0;
  bool due_ = false;
  bound_timer<ack_book, &ack_book::make_due> timer_{*this};
};

}  // namespace troupe::detail
