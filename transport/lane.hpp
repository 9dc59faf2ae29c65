// A lane: how segments get to one peer and back. Two kinds: a socket (socket_lane.hpp) and shared memory
// (shm_lane.hpp).
//
// | operation                                 | who                                     |
// | lane_port: everything                     | the port's own worker                   |
// | lane: everything                          | the session's home worker               |
// | lane_events: room_appeared, port_violated | any worker of the session               |
// | lane_events: everything else              | called on the session's home worker     |
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bulk_pool.hpp"
#include "io_driver.hpp"
#include "secure_channel.hpp"
#include "segment.hpp"

namespace troupe::detail {

/// Messages may fill a lane up to its reserve; replies, control and credit may use that too. What only acknowledges has room as
/// long as the lane sends at all: that the peer does not acknowledge must not keep this side from it.
enum class room : std::uint8_t { ordinary, reserve, acknowledgement };

inline constexpr std::size_t lane_reserve = 64 * 1024;

/// Where one stream puts its segments.
class lane_port {
 public:
  virtual ~lane_port() = default;
  /// Room for one segment of max_segment bytes, or empty while the lane is full: then
  /// lane_events::room_appeared follows. Calling it again before publish() gives the same room.
  virtual byte_span open(room from) = 0;
  /// Whether open(room::ordinary) and publish() would succeed that many times now.
  virtual bool has_room(unsigned segments) = 0;
  /// The first `bytes` of what open() gave go to the peer, in the order of these calls. 0: gives the room
  /// back.
  virtual void publish(std::size_t bytes) = 0;
};

class lane;

class lane_events {
 public:
  virtual ~lane_events() = default;
  /// One segment, whole: its length is right, and its checksum if the lane has any. How many bytes were taken, also from elsewhere;
  /// 0: the session is over, stop reading.
  virtual std::size_t segment_arrived(const segment_header& header, byte_view frames) = 0;
  /// A part of a segment.
  virtual void something_arrived() = 0;
  /// Nothing more arrives over this connection: why, and `violated` if what it carried cannot be. Comes once for each, unless stop() or
  /// detach() came first.
  virtual void lane_ended(lane& which, link_end why, std::string text) = 0;
  /// Everything published has left this process.
  virtual void lane_drained() = 0;
  virtual void room_appeared(unsigned stream) = 0;
  /// The peer broke the lane's rules in a way that a stream noticed.
  virtual void port_violated(std::string text) = 0;
  // These answer with what is wrong, or null. `file` is empty if there was no descriptor left for it.
  virtual const char* slab_passed(const slab_name& name, const descriptor& file) = 0;
  virtual const char* slab_gone(std::uint32_t number) = 0;
};

/// A socket that leads to the peer, after the handshake.
struct connection {
  descriptor socket;
  lane_kind kind = lane_kind::tcp;
  descriptor pidfd{};                         // the peer's process, on a local socket
  std::unique_ptr<secure_channel> channel{};  // null: plain
  std::vector<std::byte> unread{};            // of its bytes, what has come already
};

class lane {
 public:
  virtual ~lane() = default;
  /// Of its segments.
  virtual sum checksum() const noexcept = 0;
  virtual lane_port& port(unsigned stream) noexcept = 0;
  /// Starts to read.
  virtual void start(lane_events& events) = 0;
  /// Gives up the connection, and keeps what the peer may not have. `done` runs later on the home worker, when nothing is in flight;
  /// nothing arrives any more.
  virtual void detach(std::function<void()> done) = 0;
  /// The same for good.
  virtual void stop(std::function<void()> done) = 0;
};

/// An operation, timer or flush that calls a member function of its owner.
template <class Owner, void (Owner::*Then)(std::int32_t)>
class bound_io : public io_operation {
 public:
  explicit bound_io(Owner& owner) noexcept
      : io_operation([](io_operation& self, std::int32_t result) noexcept {
          (static_cast<bound_io&>(self).owner_.*Then)(result);
        }),
        owner_(owner) {}

 private:
  Owner& owner_;
};

template <class Owner, void (Owner::*Then)()>
class bound_timer : public timer {
 public:
  explicit bound_timer(Owner& owner) noexcept
      : timer([](timer& self) noexcept { (static_cast<bound_timer&>(self).owner_.*Then)(); }),
        owner_(owner) {}

 private:
  Owner& owner_;
};

template <class Owner, void (Owner::*Then)()>
class bound_flush : public deferred {
 public:
  explicit bound_flush(Owner& owner) noexcept
      : deferred([](deferred& self) noexcept { (static_cast<bound_flush&>(self).owner_.*Then)(); }),
        owner_(owner) {}

 private:
  Owner& owner_;
};

template <class Owner, void (Owner::*Then)()>
class bound_run : public runnable {
 public:
  explicit bound_run(Owner& owner) noexcept
      : runnable([](runnable& self, worker&) noexcept { (static_cast<bound_run&>(self).owner_.*Then)(); }),
        owner_(owner) {}

 private:
  Owner& owner_;
};

}  // namespace troupe::detail
