// The lane over shared memory: one ring for each sending worker and direction, a doorbell each way, and the
// local socket that the handshake ran on, whose end tells that the peer is gone. Over it go the slabs that are lent (loans.hpp),
// 16 bytes each: magic u32, number u32, size u64 with a descriptor, or 0 if it is gone. What was sent there can be read at once,
// so a slab is known before a frame that refers to it. Who detaches says so there (another magic, and zeros), as if it hung up; what it is
// told after that it still reads.
//
// Sleeping. The home worker reads every ring of the peer's. As long as it finds something it looks again in
// its next turn; then it only looks whether there is something (lookout), and when it goes to sleep itself it shuts its gate:
// from then on the doorbell rings, as it does for a writer without room (shm_handshake.hpp). Whoever hears it opens the gate and
// reads, and tells each stream that wanted room. To listen again costs two system calls, so that is put off: until this falls
// asleep again, where it goes with the one that sleeps, or there was something to read twice, or a stream waits for room.
//
// | operation                            | who                            |
// | ports: open, publish                 | the stream's own worker        |
// | reading, the gate, telling of room   | the home worker                |
// | ringing the peer's doorbell          | any worker                     |
// | tell_of_slab                         | any thread, before stop()      |
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "lane.hpp"
#include "peer_watch.hpp"
#include "shm_memory.hpp"

namespace troupe::detail {

class shm_lane final : public lane, public std::enable_shared_from_this<shm_lane> {
 public:
  shm_lane(worker& home, shm_pair memory, connection beside);
  ~shm_lane() override;

  sum checksum() const noexcept override { return sum::none; }
  lane_port& port(unsigned stream) noexcept override;
  void start(lane_events& events) override;
  /// The peer has said something that was not read yet, and will be.
  bool unread() noexcept { return !detached_ && has_something(readers_); }
  /// The peer hears of the slab, or with no `file` (negative) that it is gone, before anything that is published after this.
  /// False: it cannot be told now.
  bool tell_of_slab(const slab_name& name, int file);
  /// What the peer has told of slabs until now comes to lane_events. What is wrong with it, or null.
  const char* hear_of_slabs();
  /// As far as that is known: else there may be slabs that will not be heard of any more.
  bool connected() const noexcept { return connected_; }
  void detach(std::function<void()> done) override;
  /// What the peer had published before it gave the lane up, too, comes to lane_events. False: the session is over.
  bool take_rest();
  void stop(std::function<void()> done) override;

 private:
  class stream_port;
  struct ring_lookout : lookout {
    explicit ring_lookout(shm_lane& l) noexcept
        : lookout([](lookout& self) noexcept { return static_cast<ring_lookout&>(self).of.has_news(); },
                  [](lookout& self) noexcept { return static_cast<ring_lookout&>(self).of.falls_asleep(); }),
          of(l) {}
    shm_lane& of;
  };
  enum class found : std::uint8_t { nothing, something, the_end };

  void ring_peer() noexcept;
  void doorbell_rang(std::int32_t result);
  bool listen() noexcept;
  bool wants_room() const noexcept;
  void socket_readable(std::int32_t result);
  void poll();
  found read_all(std::size_t at_most);
  found read_ring(unsigned stream, std::size_t at_most);
  found violated(const char* how);
  void offer_room();
  bool has_news() noexcept;
  bool falls_asleep() noexcept;
  void peer_is_gone(link_end why);
  void say_that_it_leaves();
  void close_if_idle();

  worker& home_;
  shm_pair memory_;
  descriptor socket_;
  lane_events* events_ = nullptr;
  std::vector<std::unique_ptr<stream_port>> ports_;
  std::vector<ring_reader> readers_;
  peer_watch watch_;
  std::array<std::byte, 16> heard_{};  // of what the peer tells of a slab: how it begins
  std::size_t heard_bytes_ = 0;
  descriptor heard_file_;
  bool just_rang_ = false;
  bool deaf_ = false;  // nobody can ring any more
  bool connected_ = true;
  bool detached_ = false;
  bool stopped_ = false;
  std::function<void()> on_idle_;
  bound_io<shm_lane, &shm_lane::doorbell_rang> doorbell_op_{*this};
  bound_io<shm_lane, &shm_lane::socket_readable> socket_op_{*this};
  bound_run<shm_lane, &shm_lane::poll> poll_{*this};
  ring_lookout lookout_{*this};
};

}  // namespace troupe::detail
