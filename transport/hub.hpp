// The hub of a node's links: it listens, dials, shakes hands and makes sessions.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bulk_pool.hpp"
#include "handshake.hpp"
#include "link_security.hpp"
#include "scheduler.hpp"
#include "session.hpp"

namespace troupe::detail {

struct link_options {
  node_identity self;
  std::uint8_t minor = wire_minor;        // what it speaks at most
  bool tcp_only = false;                  // never shared memory or local sockets
  std::uint32_t window = 128 * 1024;      // bytes of credit per (sending worker, destination)
  std::uint32_t max_destinations = 1024;  // windows in use at once, per stream
  std::uint32_t max_routes = 4096;        // per stream; idle ones are evicted
  std::uint32_t max_message =
      16u << 20;  // bytes of one, encoded; those over 64 KiB are lent, or go in chunks
  std::uint32_t ring_bytes = 512 * 1024;  // per sending worker and direction; is_ring_size()
  std::uint32_t send_buffer =
      1024 * 1024;  // bytes that a peer has not acknowledged, on a socket, before senders wait
  std::uint32_t max_links = 1024;
  std::optional<endpoint> announce = {};  // TCP; where others dial this node, if not where it listens
  duration handshake_deadline = std::chrono::seconds(5);
  duration lease = std::chrono::seconds(10);  // how long a session lives without a word from the peer
  duration seek_memory = std::chrono::milliseconds(
      100);  // before a session over a socket tries shared memory; then twice as long, and so on to a minute
  duration rejoin = std::chrono::hours(1);             // how long it dials again whom it had joined; 0: not
  std::shared_ptr<const link_security> security = {};  // null: TCP is plain
  bool plaintext = false;                              // also beyond loopback
  std::shared_ptr<bulk_pool> bulks =
      {};  // whose memory is lent to peers of this host, and whose limit counts the rings
};

class hub {
 public:
  using joined = std::function<void(result<session*, setup_error>)>;

  static std::unique_ptr<hub> create(scheduler& workers, session_host& host, const link_options& options);
  virtual ~hub() = default;

  /// Starts to listen; the endpoint in the answer has the port that was bound. Before scheduler::start().
  virtual result<endpoint, setup_error> listen(const endpoint& at) = 0;
  /// Dials until it is linked or `until` has passed; `done` runs on worker 0. Only on worker 0. When that link breaks, it is
  /// dialled again, for link_options::rejoin at most; not when either side has said goodbye, nor by the side that ended it.
  virtual void join(const endpoint& to, instant until, joined done) = 0;
  /// Dials a node that somebody knows, unless it is linked: after `pause`, and until `until`. Only on worker 0.
  virtual void meet(const node_identity& who, const endpoint& at, duration pause, instant until) = 0;
  /// Makes a link of a connected local socket. `link.peer` is who the other node belongs to, and it begins; without a peer this
  /// side does, and the kernel says. `done` runs on worker 0, `patience` from now at the latest. Only on worker 0.
  virtual void adopt(inherited_link link, duration patience, joined done) = 0;
  /// Stops listening and dialling, closes every session, then calls `done` on worker 0. Only on worker 0.
  virtual void close(std::function<void()> done) = 0;
};

}  // namespace troupe::detail
