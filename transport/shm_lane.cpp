#include "shm_lane.hpp"

#include <algorithm>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/checked.hpp>

#include "lender.hpp"

namespace troupe::detail {

static constexpr std::uint32_t slab_magic = 0x42415354;   // "TSAB"
static constexpr std::uint32_t leave_magic = 0x45564C54;  // "TLVE"
using lane_note = std::array<std::byte, 16>;

class shm_lane::stream_port final : public lane_port {
 public:
  stream_port(shm_lane& of, unsigned stream) noexcept
      : lane_(of),
        line_(of.memory_.mine.writer(stream)),
        writer_({of.memory_.mine.ring(stream), line_.position, of.memory_.theirs.reader(stream).position},
                line_.wants_room, of.memory_.theirs.sleep()) {}

  byte_span open(room from) override {
    const byte_span space = writer_.open(from == room::ordinary ? lane_reserve : 0);
    if (writer_.violated() && !violated.exchange(true, std::memory_order_relaxed)) {
      lane_.home_.post([lane = lane_.shared_from_this()](worker& home) {
        const bool runs = lane->events_ != nullptr && !lane->detached_;
        if (runs) home.schedule(lane->poll_);  // which looks at the flag
      });
    }
    return space;
  }
  void publish(std::size_t bytes) override {
    if (bytes == 0) return;
    if (writer_.publish(bytes)) lane_.ring_peer();
  }
  bool has_room(unsigned segments) override {
    return writer_.has_room((segments - 1) * ring_segment + lane_reserve);
  }

  bool wants_room() const noexcept { return line_.wants_room.is_shut(); }
  bool take_wants_room() noexcept { return line_.wants_room.wake(); }

  std::atomic<bool> violated{false};

 private:
  shm_lane& lane_;
  shm_line& line_;
  ring_sender writer_;
};

shm_lane::shm_lane(worker& home, shm_pair memory, connection beside)
    : home_(home),
      memory_(std::move(memory)),
      socket_(std::move(beside.socket)),
      watch_(home, std::move(beside.pidfd), peer_watch::after_death::all_is_here,
             [this](link_end why) { peer_is_gone(why); }) {
  for (unsigned i = 0; i < memory_.streams; ++i) ports_.push_back(std::make_unique<stream_port>(*this, i));
  for (unsigned i = 0; i < memory_.peer_streams; ++i) {
    readers_.emplace_back(memory_.theirs.ring(i), memory_.theirs.writer(i).position,
                          memory_.mine.reader(i).position);
  }
}

shm_lane::~shm_lane() {
  TROUPE_ASSERT(!doorbell_op_.in_flight && !socket_op_.in_flight && !poll_.queued,
                "stop a lane before it is destroyed");
}

lane_port& shm_lane::port(unsigned stream) noexcept { return *ports_[stream]; }

void shm_lane::start(lane_events& events) {
  events_ = &events;
  watch_.start();
  home_.io().wait_readable(socket_op_, socket_.get());
  home_.io().wait_readable(doorbell_op_, memory_.ear.get());
  just_rang_ = true;  // streams may have filled their rings before
  home_.schedule(poll_);
}

void shm_lane::ring_peer() noexcept {
  if (!mutated(mutant::silent_doorbell)) home_.world().ring(memory_.bell.rung.get());
}

void shm_lane::doorbell_rang(std::int32_t) {
  if (detached_) return close_if_idle();
  memory_.mine.sleep().awake();
  just_rang_ = true;
  home_.schedule(poll_);
}

/// What has rung before is heard by this, and what it was rung for is seen by whoever looks from now on. False: it listens already.
bool shm_lane::listen() noexcept {
  if (doorbell_op_.in_flight || deaf_) return false;
  deaf_ = !home_.world().hear(memory_.ear.get());  // a peer's death is told elsewhere
  if (!deaf_) home_.io().wait_readable(doorbell_op_, memory_.ear.get());
  return true;
}

void shm_lane::offer_room() {
  for (unsigned i = 0; i < ports_.size(); ++i) {
    if (ports_[i]->take_wants_room()) events_->room_appeared(i);
  }
}

void shm_lane::poll() {
  if (detached_) return close_if_idle();
  for (const auto& port : ports_) {
    if (port->violated.load(std::memory_order_relaxed)) {
      violated("a ring's read position that never was written");
      return;
    }
  }
  constexpr std::size_t budget = 128 * 1024;  // bytes of each ring in one turn
  const bool rang = std::exchange(just_rang_, false);
  if (rang) offer_room();
  const found what = read_all(budget);
  if (what == found::the_end) return;
  if (what == found::something && !rang && listen()) offer_room();
  home_.look_at(lookout_);
}

bool shm_lane::has_news() noexcept {
  if (wants_room()) just_rang_ = listen() || just_rang_;
  const bool news = just_rang_ || has_something(readers_);
  if (news) home_.schedule(poll_);
  return news;
}

bool shm_lane::wants_room() const noexcept {
  return std::ranges::any_of(ports_, [](const auto& port) { return port->wants_room(); });
}

bool shm_lane::falls_asleep() noexcept {
  just_rang_ = listen() && wants_room();
  const bool asleep = !just_rang_ && stays_asleep(memory_.mine.sleep(), readers_);
  if (!asleep) home_.schedule(poll_);
  return asleep;
}

shm_lane::found shm_lane::read_all(std::size_t at_most) {
  found sum = found::nothing;
  for (unsigned i = 0; i < readers_.size(); ++i) {
    const found one = read_ring(i, at_most);
    if (one == found::the_end) return one;
    if (one == found::something) sum = one;
  }
  return sum;
}

shm_lane::found shm_lane::read_ring(unsigned stream, std::size_t at_most) {
  ring_reader& ring = readers_[stream];
  for (std::size_t bytes = 0; bytes < at_most;) {
    const std::optional<ring_reader::segment> segment = ring.next();
    if (!segment) break;
    if (segment->header.stream != stream) return violated("a segment in another stream's ring");
    const std::size_t taken = events_->segment_arrived(segment->header, segment->frames);
    if (taken == 0) return found::the_end;
    bytes += taken;
    ring.consume();
  }
  if (ring.violated()) return violated("a ring whose positions or lengths cannot be");
  const released room = release_ring(ring, memory_.theirs.writer(stream).wants_room);
  if (room == released::room_that_is_wanted) ring_peer();
  return room == released::nothing ? found::nothing : found::something;
}

shm_lane::found shm_lane::violated(const char* how) {
  events_->lane_ended(*this, link_end::violated, how);
  return found::the_end;
}

bool shm_lane::tell_of_slab(const slab_name& name, int file) {
  lane_note note;
  store<std::uint32_t>(note.data(), slab_magic);
  store<std::uint32_t>(note.data() + 4, name.number);
  store<std::uint64_t>(note.data() + 8, name.size);
  const std::span<const int> files(&file, file >= 0 ? 1 : 0);
  return home_.world().send_descriptors(socket_.get(), note, files).has_value();
}

const char* shm_lane::hear_of_slabs() {
  constexpr std::size_t most_reads =
      4 * bulk_pool::most_slabs;  // a peer that tells on and on waits for the next turn
  for (std::size_t reads = 0; reads != most_reads; ++reads) {
    auto got = home_.world().receive_descriptors(socket_.get(), std::span(heard_).subspan(heard_bytes_), 1);
    if (!got) {
      connected_ = connected_ && got.error() == errc::full && !watch_.dead();
      return nullptr;
    }
    heard_bytes_ += got->bytes;
    if (!got->descriptors.empty()) heard_file_ = std::move(got->descriptors.front());
    if (heard_bytes_ != heard_.size()) continue;
    heard_bytes_ = 0;
    const descriptor file = std::move(heard_file_);
    const slab_name name{load<std::uint32_t>(heard_.data() + 4), load<std::uint64_t>(heard_.data() + 8)};
    if (load<std::uint32_t>(heard_.data()) == leave_magic) {
      connected_ = false;
      return nullptr;
    }
    if (load<std::uint32_t>(heard_.data()) != slab_magic)
      return "bytes on the socket beside the shared memory";
    const char* const wrong =
        name.size != 0 ? events_->slab_passed(name, file) : events_->slab_gone(name.number);
    if (wrong != nullptr) return wrong;
  }
  return nullptr;
}

void shm_lane::socket_readable(std::int32_t result) {
  if (detached_) return close_if_idle();
  if (const char* const wrong = hear_of_slabs()) {
    violated(wrong);
  } else if (connected_ && result >= 0) {
    home_.io().wait_readable(socket_op_, socket_.get());
  } else {
    watch_.hung_up();
  }
}

/// At most one ringful each and what it has lent, however it goes on.
bool shm_lane::take_rest() {
  if (const char* const wrong = hear_of_slabs()) {
    violated(wrong);
    return false;
  }
  return read_all(largest_ring + lender::most_encodings) != found::the_end;
}

/// What the peer committed before it went is still delivered.
void shm_lane::peer_is_gone(link_end why) {
  if (!take_rest()) return;
  events_->lane_ended(
      *this, why,
      why == link_end::died ? "the peer's process has ended" : "the connection ended without a goodbye");
}

void shm_lane::detach(std::function<void()> done) {
  on_idle_ = std::move(done);
  if (!std::exchange(detached_, true)) {
    if (!stopped_) say_that_it_leaves();
    home_.forget(lookout_);
    if (doorbell_op_.in_flight) home_.io().cancel(doorbell_op_);
    if (socket_op_.in_flight) home_.io().cancel(socket_op_);
    watch_.stop([this] { close_if_idle(); });
  }
  home_.post([self = shared_from_this()](worker&) { self->close_if_idle(); });
}

/// Who closes the socket need not.
void shm_lane::say_that_it_leaves() {
  lane_note leave{};
  store<std::uint32_t>(leave.data(), leave_magic);
  static_cast<void>(home_.world().send_descriptors(socket_.get(), leave, {}));  // or the peer has hung up
}

void shm_lane::stop(std::function<void()> done) {
  stopped_ = true;
  detach(std::move(done));
}

void shm_lane::close_if_idle() {
  const bool busy = doorbell_op_.in_flight || socket_op_.in_flight || !watch_.idle() || poll_.queued;
  if (busy || !on_idle_) return;
  if (stopped_ && socket_) {
    home_.io().forget(socket_.get());
    home_.io().forget(memory_.ear.get());
    socket_.reset();
  }
  std::exchange(on_idle_, nullptr)();
}

}  // namespace troupe::detail
