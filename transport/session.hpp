// The face of a link, as the layer above sees it: a session with one peer node, its sending streams (one per
// worker), and the host interface through which inbound traffic is handed up.
//
// Who runs what. A session has a home worker, which owns the lane (socket or shared-memory rings), reads
// everything that arrives and calls the host. Each worker i of this node owns out_stream i of the session and is
// the only one to touch it: sending never hops between workers. A stream has its own route table, credit,
// sequence numbers and acks, so a stream is the unit of order: what one worker sends arrives in that order.
//
// | operation                                   | who                                   |
// | out_stream: everything                      | the stream's own worker               |
// | session: consumed, close                    | the session's home worker             |
// | session: identity, lane, counters           | any thread                            |
// | session_host: stream_*                      | called on the stream's own worker     |
// | session_host: everything else               | called on the session's home worker   |
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <troupe/detail/wire_type.hpp>
#include <troupe/detail/worker.hpp>
#include <troupe/env.hpp>

namespace troupe::detail {

#ifdef TROUPE_CHECKED
inline constexpr std::size_t max_chunk = 32;  // a ring of a few segments is small enough to explore
inline constexpr std::size_t least_apart = 4096;
#else
inline constexpr std::size_t max_chunk = 64 * 1024;    // bytes of an encoded message in one frame
inline constexpr std::size_t least_apart = max_chunk;  // what is larger is encoded into memory that is lent
#endif

enum class lane_kind : std::uint8_t { shm, local_socket, tcp };
std::string_view to_string(lane_kind lane) noexcept;

/// A node: its name, and 128 random bits drawn at its start, so that a restarted node is another one.
struct incarnation {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const incarnation&) const = default;
};
struct node_identity {
  std::string name;
  incarnation id;
};

/// Why a session ended.
enum class link_end : std::uint8_t {
  left,         // the peer said goodbye
  died,         // the peer's process is gone, for certain
  unreachable,  // the connection broke, and the lease is over; the peer may live on
  violated,     // the peer broke the protocol; the text says how
  closed,       // this side closed it
};

class session;
class out_stream;

/// Credit that an inbound message holds at its sender's: bytes of one destination's window. Whoever takes the
/// message from the mailbox (or drops it) gives it back with session::consumed on the session's home worker.
struct held_credit {
  std::uint32_t stream = 0;       // the peer's sending worker
  std::uint32_t destination = 0;  // its number in that stream
  std::uint32_t bytes = 0;        // 0: nothing held
};

struct inbound_message {
  reader& body;
  bool longer_schema = false;     // as the route's binding says; for wire_type::decode
  bool lost = false;              // there was no memory for it, or it could not be mapped; the body is empty
  std::uint64_t correlation = 0;  // not 0: a request, to be answered with out_stream::reply
  instant deadline{};             // zero: none
  held_credit credit;
};

/// Where the messages of one route go. Found once, when the route is learnt.
struct route_binding {
  /// Takes one message; runs on the session's home worker. A body that does not decode: call body.fail() and
  /// return; the session is then closed. `cookie` is the binding's.
  void (*deliver)(std::uint64_t cookie, std::uint64_t cookie2, session& from,
                  inbound_message& message) = nullptr;
  std::uint64_t cookie = 0;
  std::uint64_t cookie2 = 0;
  bool longer_schema = false;  // the peer's schema has fields that ours lacks
};

/// The control notes that the layer above exchanges; opaque to the link, never refused for lack of user credit. They keep
/// their order with whatever fits into one frame, and pass what goes in chunks unless they are to keep theirs with that too.
struct control_note {
  std::uint8_t kind = 0;  // the layer above's own numbering
  std::uint64_t subject = 0;
  std::uint64_t object = 0;
  std::uint8_t code = 0;
  std::string_view text;  // at most 256 bytes
  bool in_order = false;  // it may not overtake what was sent before it
};

/// Implemented by the layer above.
class session_host {
 public:
  virtual ~session_host() = default;

  /// May this peer link with us? ok, or why not (it is told the code): name_taken, limit_reached, ….
  virtual result<void> admit(const node_identity& peer) = 0;
  /// A stream is ready to send; comes on each worker, before link_up.
  virtual void stream_up(worker& on, session& s, out_stream& stream) = 0;
  /// All streams are up; nothing inbound was handed over before this.
  virtual void link_up(session& s) = 0;

  /// The peer names a target and a message type for the first time. An empty `deliver` in the answer is not
  /// allowed: an unknown target or schema is bound to a function that makes dead letters.
  virtual route_binding bind(session& s, std::uint64_t target, std::string_view schema) = 0;
  /// `apart`: where all of the body lies, so that it can be read as long as somebody keeps that; empty: only now.
  virtual void reply(session& s, std::uint64_t correlation, errc status, reader& body, const bulk& apart) = 0;
  virtual void control(session& s, const control_note& note) = 0;
  /// The peer has said nothing for a while (session::stalled), or the connection is broken (session::suspended), either of which
  /// is the session's end if it goes on; or the session goes on.
  virtual void link_stalled(session& s) = 0;

  /// The session goes on over another lane.
  virtual void lane_changed(session& s) = 0;

  /// The peer has acknowledged `messages` more of this worker's messages.
  virtual void stream_acked(worker& on, std::uint64_t messages) = 0;
  /// The session has ended: this worker's stream is closed, its waiters were called, `unacked` messages were
  /// sent but never acknowledged. The stream is gone when this returns.
  virtual void stream_down(worker& on, session& s, std::uint64_t unacked) = 0;
  /// After every stream_down. The session is destroyed when this returns.
  virtual void link_down(session& s, link_end why, std::string_view text) = 0;
};

enum class send_outcome : std::uint8_t {
  sent,           // encoded into the lane
  no_credit,      // the destination's window is used up, or somebody already waits for it
  blocked,        // the lane's buffer is full
  too_large,      // over what the peer takes: link_options::max_message
  no_memory,      // for an encoding that goes in chunks
  not_encodable,  // its codec fails on this link
  closed,         // the session has ended
};

struct outgoing {
  std::uint64_t target = 0;  // the peer's name for the actor; opaque here
  const wire_type* type = nullptr;
  const void* message = nullptr;
  std::uint64_t correlation = 0;  // not 0: a request
  instant deadline{};             // zero: none
  void* codec_context = nullptr;  // writer::context while encoding
};

/// A message that waits for credit or room. Lives with the waiting sender; unlinks itself when destroyed (the
/// message was then never sent). First come, first served for each destination.
class room_waiter {
 public:
  using handler = void (*)(room_waiter& self, send_outcome how) noexcept;  // not no_credit nor blocked
  explicit room_waiter(handler h) noexcept : on_done(h) {}
  room_waiter(const room_waiter&) = delete;
  room_waiter& operator=(const room_waiter&) = delete;
  ~room_waiter();
  bool waiting() const noexcept { return head != nullptr; }

  handler on_done;
  outgoing what;
  // The stream's own use.
  room_waiter* prev = nullptr;
  room_waiter* next = nullptr;
  struct destination* head = nullptr;
};

/// One worker's sending side of a session.
class out_stream {
 public:
  virtual ~out_stream() = default;

  virtual session& owner() noexcept = 0;
  /// Not closing: what is sent now is taken, if there is room.
  virtual bool up() const noexcept = 0;
  /// Encodes and counts it as accepted, or changes nothing. What was sent becomes visible to the peer at the
  /// end of the worker's turn at the latest.
  virtual send_outcome try_send(const outgoing& what) = 0;
  /// True if try_send would accept a message of any size up to the limit to `target` now (credit, no waiter before it,
  /// room in the lane), so that a caller can build the message only once it is sure to be taken, if there is memory.
  virtual bool has_room(std::uint64_t target) = 0;
  /// Queues behind whoever waits for that destination; `w.what` is set and stays valid while it waits.
  virtual void wait(room_waiter& w) = 0;

  /// Never refused: the asker reserved the room. Kept aside while the lane is full. `body` may be null.
  virtual void reply(std::uint64_t correlation, errc status, const wire_type* type, const void* body,
                     void* codec_context) = 0;
  virtual void control(const control_note& note) = 0;

  /// Messages sent and not acknowledged yet, by walking the records.
  virtual std::uint64_t unacked() const noexcept = 0;
};

class session {
 public:
  virtual ~session() = default;

  virtual const node_identity& peer() const noexcept = 0;
  virtual worker& home() const noexcept = 0;
  virtual lane_kind lane() const noexcept = 0;  // any thread; it may move
  virtual std::string lane_reason() const = 0;  // any thread; why this lane and no better one
  /// Where others can dial the peer over TCP, as far as this side knows; nothing: it does not listen.
  virtual const std::optional<endpoint>& dialled_at() const noexcept = 0;
  virtual bool is_near() const noexcept = 0;  // on this host: what is loopback there is loopback here
  virtual std::uint64_t frames_out() const noexcept = 0;  // any thread
  virtual std::uint64_t frames_in() const noexcept = 0;   // any thread
  virtual bool stalled() const noexcept = 0;              // any thread
  virtual bool suspended() const noexcept = 0;            // any thread; it waits for another connection
  virtual std::uint64_t resumed() const noexcept = 0;     // any thread; how often it went on over another
  virtual std::uint64_t duplicates()
      const noexcept = 0;  // any thread; segments that came twice, and were dropped
  /// If it has been suspended for a while, it is over: the peer, or another process by its name, begins anew. Any thread.
  virtual void supersede(link_end why) = 0;

  /// The message was taken or dropped: its sender may use the room again.
  virtual void consumed(const held_credit& credit) = 0;
  /// Sends what is queued and a goodbye, then ends (link_end::closed).
  virtual void close() = 0;

  /// The host's own; home worker. Every reader handed to the host has it as its context.
  void* cookie = nullptr;
};

}  // namespace troupe::detail
