// The lane over one stream socket, TCP or Unix. The home worker owns the socket.
//
// Sending. A stream builds its segment in a pooled chunk. The home worker's stream appends it to what is to be sent
// (replay_buffer.hpp); another worker's puts it into the outbox (many producers, one consumer) and wakes the home worker
// (announcement.hpp), which appends it. What was published and is not acknowledged yet is bounded, and a stream that finds
// the lane full is told when it has room (send_room.hpp).
//
// Receiving. One buffer; whole segments are handed up where they lie and the rest moves to the front.
//
// TLS. What goes is encrypted a chunk at a time when the socket is ready for it; what is kept is plain. Segments have no checksum
// then.
//
// Connections. The lane outlives them: without one it takes what is published until there is no room. What a new one is
// begun with, and which, is the session's affair (link_session.hpp).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "announcement.hpp"
#include "lane.hpp"
#include "peer_watch.hpp"
#include "replay_buffer.hpp"
#include "scheduler.hpp"
#include "send_room.hpp"

namespace troupe::detail {

class socket_lane final : public lane, public std::enable_shared_from_this<socket_lane> {
 public:
  struct setup {
    worker& home;
    scheduler& workers;  // a port for each
    connection over;
    std::uint32_t send_buffer;
    sum checksum;  // for good, whatever later connections are
  };
  explicit socket_lane(setup s);
  ~socket_lane() override;

  lane_kind kind() const noexcept { return kind_; }
  sum checksum() const noexcept override { return checksum_; }
  lane_port& port(unsigned stream) noexcept override;
  void start(lane_events& events) override;
  bool drained() const noexcept;
  /// The peer has acknowledged the frames of `stream` up to `sequence`.
  void acked(std::uint8_t stream, std::uint64_t sequence);
  void detach(std::function<void()> done) override;
  /// After detach() is done: goes on with `over`, and sends again what was not acknowledged.
  void attach(connection over);
  void stop(std::function<void()> done) override;

 private:
  struct pool;
  class stream_port;

  bool has_room_to_acknowledge(unsigned stream);
  chunk_ptr take_chunk();
  void recycle(chunk_ptr c);
  void hand_over(chunk_ptr c, bool at_home);
  void announce_outbox();
  void empty_outbox();
  void enqueue(chunk_ptr c);
  void send_more();
  byte_view next_bytes();
  void sent(std::int32_t result);
  std::size_t count_sent(std::size_t bytes);
  void let_go(std::size_t bytes);
  void offer_room();
  void connect(connection over);
  void disconnect(std::function<void()> done);
  void connection_ended(link_end why);
  void begin_to_receive();
  void receive_more();
  void received(std::int32_t result);
  bool take_in(byte_view cipher);
  bool parse();
  void close_if_idle();

  worker& home_;
  lane_kind kind_;
  descriptor socket_;
  lane_events* events_ = nullptr;
  send_room room_;
  announcement outbox_announced_;
  std::unique_ptr<pool> pool_;
  std::vector<std::unique_ptr<stream_port>> ports_;
  replay_buffer outgoing_;
  bool broken_ = false;  // a send failed: nothing more is sent, and receiving will say why
  const sum checksum_;
  struct encryption;
  std::unique_ptr<encryption> secure_;   // null: this connection is plain
  std::unique_ptr<std::byte[]> buffer_;  // buffer_bytes, not touched before they are needed
  std::size_t filled_ = 0;
  bool stopped_ = false;
  bool disconnecting_ = true;  // or there is no connection
  std::function<void()> on_disconnected_;
  std::optional<peer_watch> watch_;
  bound_io<socket_lane, &socket_lane::sent> send_op_{*this};
  bound_io<socket_lane, &socket_lane::received> receive_op_{*this};
};

}  // namespace troupe::detail
