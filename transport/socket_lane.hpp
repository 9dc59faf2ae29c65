// The lane over one stream socket, TCP or Unix. The home worker owns the socket.
//
// Sending. A stream builds its segment in a pooled chunk. The home worker's stream appends it to the send
// queue; another worker's puts it into the outbox (many producers, one consumer) and wakes the home worker
// (announcement.hpp), which moves it to the queue. A small segment is copied behind the last chunk's bytes, so
// that under load one send carries many; large ones are never copied. What was published and the kernel has not
// taken yet is bounded, and a stream that finds the lane full is told when it has room (send_room.hpp).
//
// Receiving. One buffer; whole segments are handed up where they lie and the rest moves to the front.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "announcement.hpp"
#include "lane.hpp"
#include "peer_watch.hpp"
#include "send_room.hpp"

namespace troupe::detail {

class socket_lane final : public lane, public std::enable_shared_from_this<socket_lane> {
 public:
  struct setup {
    worker& home;
    std::vector<worker*> workers;  // by index; a port for each
    descriptor socket;
    lane_kind kind;
    std::uint32_t send_buffer;
    descriptor pidfd;  // the peer's process, on a local socket
  };
  explicit socket_lane(setup s);
  ~socket_lane() override;

  lane_kind kind() const noexcept override { return kind_; }
  lane_port& port(unsigned stream) noexcept override;
  void start(lane_events& events) override;
  bool drained() const noexcept override;
  bool unread() noexcept override { return false; }  // what has come is read in each turn
  void stop(std::function<void()> done) override;

 private:
  struct chunk;
  struct pool;
  class stream_port;
  using chunk_ptr = std::unique_ptr<chunk>;

  chunk_ptr take_chunk();
  void recycle(chunk_ptr c);
  void hand_over(chunk_ptr c, bool at_home);
  void announce_outbox();
  void empty_outbox();
  void enqueue(chunk_ptr c);
  void send_more();
  void sent(std::int32_t result);
  void offer_room();
  void receive_more();
  void received(std::int32_t result);
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
  std::deque<chunk_ptr> send_queue_;
  bool broken_ = false;                  // a send failed: nothing more is sent, and receiving will say why
  std::unique_ptr<std::byte[]> buffer_;  // buffer_bytes, not touched before they are needed
  std::size_t filled_ = 0;
  std::function<void()> on_stopped_;
  bool stopping_ = false;
  peer_watch watch_;
  bound_io<socket_lane, &socket_lane::sent> send_op_{*this};
  bound_io<socket_lane, &socket_lane::received> receive_op_{*this};
};

}  // namespace troupe::detail
