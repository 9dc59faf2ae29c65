#include "socket_lane.hpp"

#include <concurrentqueue/concurrentqueue.h>

#include <algorithm>

#include <troupe/assert.hpp>
#include <troupe/detail/checked.hpp>

namespace troupe::detail {
namespace {

constexpr std::size_t buffer_bytes = 2 * max_segment;
constexpr std::size_t out_bytes = secure_channel::encrypted_size(max_segment) + secure_channel::most_kept;

}  // namespace

struct socket_lane::pool {
  static constexpr std::size_t most_spare = 4;
  moodycamel::ConcurrentQueue<chunk_ptr> spare;
  moodycamel::ConcurrentQueue<chunk_ptr> outbox;
};

/// Of one connection.
struct socket_lane::encryption {
  explicit encryption(connection& over) : channel(std::move(over.channel)), unread(std::move(over.unread)) {}

  std::unique_ptr<secure_channel> channel;
  std::vector<std::byte> unread;  // what came with the handshake
  // Both are not touched before they are needed.
  std::unique_ptr<std::byte[]> out = std::make_unique_for_overwrite<std::byte[]>(out_bytes);
  std::unique_ptr<std::byte[]> in = std::make_unique_for_overwrite<std::byte[]>(buffer_bytes);
  std::size_t made = 0;   // bytes of `out`
  std::size_t sent = 0;   // of these
  std::size_t plain = 0;  // of what they are made
};

class socket_lane::stream_port final : public lane_port {
 public:
  stream_port(socket_lane& of, unsigned stream, bool at_home) noexcept
      : lane_(of), stream_(stream), at_home_(at_home) {}

  byte_span open(room from) override {
    if (!open_) {
      const bool has_room = from == room::acknowledgement
                                ? lane_.has_room_to_acknowledge(stream_)
                                : lane_.room_.open(stream_, from == room::ordinary ? lane_reserve : 0);
      if (!has_room) return {};
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
      kind_(s.over.kind),
      room_(std::max(s.send_buffer, static_cast<std::uint32_t>(8 * max_segment)),
            static_cast<unsigned>(s.workers.size())),
      pool_(std::make_unique<pool>()),
      outgoing_([this](chunk_ptr c) { recycle(std::move(c)); }),
      checksum_(s.checksum) {
  for (unsigned i = 0; i < s.workers.size(); ++i)
    ports_.push_back(std::make_unique<stream_port>(*this, i, &s.workers.at(i) == &home_));
  connect(std::move(s.over));
}

socket_lane::~socket_lane() {
  TROUPE_ASSERT(!send_op_.in_flight && !receive_op_.in_flight, "stop a lane before it is destroyed");
}

lane_port& socket_lane::port(unsigned stream) noexcept { return *ports_[stream]; }

void socket_lane::connect(connection over) {
  socket_ = std::move(over.socket);
  secure_ = over.channel ? std::make_unique<encryption>(over) : nullptr;
  kind_ = over.kind;
  broken_ = disconnecting_ = false;
  if (!mutated(mutant::kept_part)) filled_ = 0;
  watch_.emplace(home_, std::move(over.pidfd), peer_watch::after_death::the_rest_comes,
                 [this](link_end why) { connection_ended(why); });
}

void socket_lane::connection_ended(link_end why) {
  events_->lane_ended(
      *this, why,
      why == link_end::died ? "the peer's process has ended" : "the connection ended without a goodbye");
}

void socket_lane::start(lane_events& events) {
  events_ = &events;
  buffer_ = std::make_unique_for_overwrite<std::byte[]>(buffer_bytes);
  watch_->start();
  begin_to_receive();
  offer_room();  // to streams that filled the lane before
}

/// Something may have come with the last word of the handshake.
void socket_lane::begin_to_receive() {
  if (!secure_) return receive_more();
  const std::vector<std::byte> unread = std::move(secure_->unread);
  if (take_in(unread)) receive_more();
}

void socket_lane::detach(std::function<void()> done) { disconnect(std::move(done)); }

void socket_lane::attach(connection over) {
  TROUPE_ASSERT(!socket_ && !stopped_, "detach a lane before another connection carries it");
  connect(std::move(over));
  watch_->start();
  let_go(outgoing_.rewind());
  send_more();
  begin_to_receive();
}

/// Of what the peer does not acknowledge there may be as much as there may be at all.
bool socket_lane::has_room_to_acknowledge(unsigned stream) {
  return outgoing_.unsent() < room_.most() || room_.open(stream, 0);
}

chunk_ptr socket_lane::take_chunk() {
  chunk_ptr c;
  if (!pool_->spare.try_dequeue(c)) c = std::make_unique_for_overwrite<segment_chunk>();
  c->size = c->sent = c->acked = 0;
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
  if (!stopped_) return outgoing_.add(std::move(c));
  room_.remove(c->size);
  recycle(std::move(c));
}

void socket_lane::send_more() {
  if (send_op_.in_flight || disconnecting_ || broken_) return;
  if (const byte_view next = next_bytes(); !next.empty()) home_.io().send(send_op_, socket_.get(), next);
}

byte_view socket_lane::next_bytes() {
  if (!secure_) return outgoing_.next();
  encryption& e = *secure_;
  if (e.sent == e.made) {
    const secure_channel::progress p =
        e.channel->encrypt(outgoing_.next(), byte_span(e.out.get(), out_bytes));
    e.plain = p.taken;
    e.made = p.made;
    e.sent = 0;
  }
  return byte_view(e.out.get(), e.made).subspan(e.sent);
}

/// How many bytes need not be kept.
std::size_t socket_lane::count_sent(std::size_t bytes) {
  if (!secure_) return outgoing_.sent(bytes);
  encryption& e = *secure_;
  e.sent += bytes;
  if (e.sent != e.made || e.plain == 0) return 0;
  return outgoing_.sent(std::exchange(e.plain, 0));
}

void socket_lane::sent(std::int32_t result) {
  if (disconnecting_) return close_if_idle();
  if (result < 0) {
    broken_ = true;
    return;
  }
  const bool lies = mutated(mutant::short_write);
  let_go(count_sent(lies ? next_bytes().size() : static_cast<std::size_t>(result)));
  if (!mutated(mutant::stalled_send)) send_more();
  if (drained() && events_ != nullptr) events_->lane_drained();
}

void socket_lane::acked(std::uint8_t stream, std::uint64_t sequence) {
  let_go(outgoing_.acked(stream, sequence));
}

void socket_lane::let_go(std::size_t bytes) {
  if (bytes == 0) return;
  room_.remove(bytes);
  offer_room();
}

void socket_lane::offer_room() {
  if (events_ != nullptr) room_.offer([this](unsigned stream) { events_->room_appeared(stream); });
}

bool socket_lane::drained() const noexcept { return room_.bytes() == 0; }

void socket_lane::receive_more() {
  const byte_span into = secure_ ? byte_span(secure_->in.get(), buffer_bytes)
                                 : byte_span(buffer_.get() + filled_, buffer_bytes - filled_);
  home_.io().receive(receive_op_, socket_.get(), into);
}

void socket_lane::received(std::int32_t result) {
  if (disconnecting_) return close_if_idle();
  if (result <= 0 && mutated(mutant::kept_connection)) return;
  if (result <= 0) return watch_->hung_up();
  events_->something_arrived();
  const auto bytes = static_cast<std::size_t>(result);
  if (!secure_) filled_ += bytes;
  const bool goes_on = secure_ ? take_in(byte_view(secure_->in.get(), bytes)) : parse();
  if (goes_on && !disconnecting_) receive_more();
}

/// Decrypts all of it, and takes the segments. False: do not go on.
bool socket_lane::take_in(byte_view cipher) {
  for (;;) {
    const byte_span room(buffer_.get() + filled_, buffer_bytes - filled_);
    const secure_channel::progress p = secure_->channel->decrypt(cipher, room);
    cipher = cipher.subspan(p.taken);
    filled_ += p.made;
    if (!parse() || disconnecting_) return false;
    if (p.made != room.size() && cipher.empty()) break;
  }
  send_more();  // what the channel has to say, or what it could not encrypt before
  if (secure_->channel->state() == secure_channel::stage::open) return true;
  const std::string& why = secure_->channel->failure();
  events_->lane_ended(*this, link_end::unreachable,
                      why.empty() ? "the connection ended without a goodbye" : why);
  return false;
}

bool socket_lane::parse() {
  std::size_t at = 0;
  while (filled_ - at >= segment_header_bytes) {
    const segment_header header = read_segment_header(buffer_.get() + at);
    if (!plausible(header)) {
      events_->lane_ended(*this, link_end::violated, "a segment with an impossible length");
      return false;
    }
    if (filled_ - at < header.length) break;
    const byte_view frames = byte_view(buffer_.get() + at, header.length).subspan(segment_header_bytes);
    if (checksum_ == sum::xxh3 && checksum_of(header, frames) != header.checksum) {
      events_->lane_ended(*this, link_end::violated, "a segment with a wrong checksum");
      return false;
    }
    if (events_->segment_arrived(header, frames) == 0) return false;
    at += header.length;
  }
  std::memmove(buffer_.get(), buffer_.get() + at, filled_ - at);
  filled_ -= at;
  return true;
}

void socket_lane::stop(std::function<void()> done) {
  stopped_ = true;
  disconnect(std::move(done));
}

/// Whoever asked before is not told any more.
void socket_lane::disconnect(std::function<void()> done) {
  on_disconnected_ = std::move(done);
  if (!std::exchange(disconnecting_, true)) {
    if (send_op_.in_flight) home_.io().cancel(send_op_);
    if (receive_op_.in_flight) home_.io().cancel(receive_op_);
    watch_->stop([this] { close_if_idle(); });
  }
  home_.post([self = shared_from_this()](worker&) { self->close_if_idle(); });
}

void socket_lane::close_if_idle() {
  if (send_op_.in_flight || receive_op_.in_flight || !watch_->idle() || !on_disconnected_) return;
  if (socket_) home_.io().forget(socket_.get());
  socket_.reset();
  if (stopped_) outgoing_.clear();
  std::exchange(on_disconnected_, nullptr)();
}

}  // namespace troupe::detail
