#include "socket_lane.hpp"

#include <concurrentqueue/concurrentqueue.h>

#include <algorithm>

#include <troupe/assert.hpp>
#include <troupe/detail/checked.hpp>

namespace troupe::detail {
namespace {

constexpr std::size_t buffer_bytes = 2 * max_segment;

}  // namespace

struct socket_lane::chunk {
  std::size_t size = 0;
  std::size_t sent = 0;
  std::byte data[max_segment];
};

struct socket_lane::pool {
  static constexpr std::size_t most_spare = 4;
  moodycamel::ConcurrentQueue<chunk_ptr> spare;
  moodycamel::ConcurrentQueue<chunk_ptr> outbox;
};

class socket_lane::stream_port final : public lane_port {
 public:
  stream_port(socket_lane& of, unsigned stream, bool at_home) noexcept
      : lane_(of), stream_(stream), at_home_(at_home) {}

  byte_span open(room from) override {
    if (!open_) {
      if (!lane_.room_.open(stream_, from == room::ordinary ? lane_reserve : 0)) return {};
      open_ = lane_.take_chunk();
    }
    return open_->data;
  }
  void publish(std::size_t bytes) override {
    if (bytes == 0) return lane_.recycle(std::move(open_));
    open_->size = bytes;
    lane_.room_.add(bytes);
    lane_.hand_over(std::move(open_), at_home_);
  }
  bool has_room(unsigned segments) override {
    return lane_.room_.bytes() + segments * max_segment <= lane_.room_.most() - lane_reserve;
  }

 private:
  socket_lane& lane_;
  unsigned stream_;
  bool at_home_;
  chunk_ptr open_;
};

socket_lane::socket_lane(setup s)
    : home_(s.home),
      kind_(s.kind),
      socket_(std::move(s.socket)),
      room_(std::max(s.send_buffer, static_cast<std::uint32_t>(8 * max_segment)),
            static_cast<unsigned>(s.workers.size())),
      pool_(std::make_unique<pool>()),
      watch_(s.home, std::move(s.pidfd), peer_watch::after_death::the_rest_comes, [this](link_end why) {
        events_->lane_ended(why, why == link_end::died ? "the peer's process has ended"
                                                       : "the connection ended without a goodbye");
      }) {
  for (unsigned i = 0; i < s.workers.size(); ++i)
    ports_.push_back(std::make_unique<stream_port>(*this, i, s.workers[i] == &home_));
}

socket_lane::~socket_lane() {
  TROUPE_ASSERT(!send_op_.in_flight && !receive_op_.in_flight, "stop a lane before it is destroyed");
}

lane_port& socket_lane::port(unsigned stream) noexcept { return *ports_[stream]; }

void socket_lane::start(lane_events& events) {
  events_ = &events;
  buffer_ = std::make_unique_for_overwrite<std::byte[]>(buffer_bytes);
  watch_.start();
  receive_more();
  offer_room();  // to streams that filled the lane before
}

socket_lane::chunk_ptr socket_lane::take_chunk() {
  chunk_ptr c;
  if (!pool_->spare.try_dequeue(c)) c = std::make_unique_for_overwrite<chunk>();
  c->size = c->sent = 0;
  return c;
}

void socket_lane::recycle(chunk_ptr c) {
  if (pool_->spare.size_approx() < pool::most_spare) pool_->spare.enqueue(std::move(c));
}

void socket_lane::hand_over(chunk_ptr c, bool at_home) {
  if (at_home) {
    enqueue(std::move(c));
    return send_more();
  }
  pool_->outbox.enqueue(std::move(c));
  announce_outbox();
}

void socket_lane::announce_outbox() {
  if (!outbox_announced_.announce()) return;
  home_.post([self = shared_from_this()](worker&) { self->empty_outbox(); });
}

/// A batch and no more: a lane that has broken takes chunks back at once, and streams that do not know it yet
/// would keep the home worker here.
void socket_lane::empty_outbox() {
  constexpr unsigned batch = 64;
  outbox_announced_.heard();
  chunk_ptr c;
  unsigned taken = 0;
  while (taken != batch && pool_->outbox.try_dequeue(c)) {
    enqueue(std::move(c));
    ++taken;
  }
  send_more();
  if (taken == batch) announce_outbox();
}

void socket_lane::enqueue(chunk_ptr c) {
  constexpr std::size_t worth_a_copy = 8 * 1024;
  if (broken_ || stopping_) {
    room_.remove(c->size);
    return recycle(std::move(c));
  }
  chunk* const last = send_queue_.empty() ? nullptr : send_queue_.back().get();
  if (last != nullptr && c->size <= worth_a_copy && c->size <= max_segment - last->size) {
    std::memcpy(last->data + last->size, c->data, c->size);
    last->size += c->size;
    return recycle(std::move(c));
  }
  send_queue_.push_back(std::move(c));
}

void socket_lane::send_more() {
  if (send_op_.in_flight || send_queue_.empty() || stopping_) return;
  const chunk& c = *send_queue_.front();
  home_.io().send(send_op_, socket_.get(), byte_view(c.data + c.sent, c.size - c.sent));
}

void socket_lane::sent(std::int32_t result) {
  if (stopping_) return close_if_idle();
  if (result < 0) {
    broken_ = true;
    for (chunk_ptr& c : send_queue_) room_.remove(c->size - c->sent);
    send_queue_.clear();
    return;
  }
  chunk& c = *send_queue_.front();
  c.sent += mutated(mutant::short_write) ? c.size - c.sent : static_cast<std::size_t>(result);
  room_.remove(static_cast<std::size_t>(result));
  if (c.sent == c.size) {
    recycle(std::move(send_queue_.front()));
    send_queue_.pop_front();
  }
  if (!mutated(mutant::stalled_send)) send_more();
  offer_room();
  if (drained() && events_ != nullptr) events_->lane_drained();
}

void socket_lane::offer_room() {
  if (events_ != nullptr) room_.offer([this](unsigned stream) { events_->room_appeared(stream); });
}

bool socket_lane::drained() const noexcept { return room_.bytes() == 0; }

void socket_lane::receive_more() {
  home_.io().receive(receive_op_, socket_.get(), byte_span(buffer_.get() + filled_, buffer_bytes - filled_));
}

void socket_lane::received(std::int32_t result) {
  if (stopping_) return close_if_idle();
  if (result <= 0) return watch_.hung_up();
  events_->something_arrived();
  filled_ += static_cast<std::size_t>(result);
  if (parse()) receive_more();
}

bool socket_lane::parse() {
  std::size_t at = 0;
  while (filled_ - at >= segment_header_bytes) {
    const segment_header header = read_segment_header(buffer_.get() + at);
    if (!plausible(header)) {
      events_->lane_ended(link_end::violated, "a segment with an impossible length");
      return false;
    }
    if (filled_ - at < header.length) break;
    const byte_view whole(buffer_.get() + at, header.length);
    if (events_->segment_arrived(header, whole.subspan(segment_header_bytes)) == 0) return false;
    at += header.length;
  }
  std::memmove(buffer_.get(), buffer_.get() + at, filled_ - at);
  filled_ -= at;
  return true;
}

void socket_lane::stop(std::function<void()> done) {
  stopping_ = true;
  on_stopped_ = std::move(done);
  if (send_op_.in_flight) home_.io().cancel(send_op_);
  if (receive_op_.in_flight) home_.io().cancel(receive_op_);
  watch_.stop([this] { close_if_idle(); });
  home_.post([self = shared_from_this()](worker&) { self->close_if_idle(); });
}

void socket_lane::close_if_idle() {
  if (send_op_.in_flight || receive_op_.in_flight || !watch_.idle() || !on_stopped_) return;
  home_.io().forget(socket_.get());
  socket_.reset();
  send_queue_.clear();
  std::exchange(on_stopped_, nullptr)();
}

}  // namespace troupe::detail
