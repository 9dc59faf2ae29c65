// The I/O driver of one worker: completion-style operations on descriptors, and the place where the worker
// sleeps. Two complete backends live in os/: io_uring (uring_driver.cpp) and Boost.Asio's reactor
// (asio_driver.cpp); a simulation supplies a third through env::open_io.
//
// Rules, the same for every backend:
//  1. Everything but wake() is called by the worker's own thread only.
//  2. An operation object stays where it is, with its buffers, from the call that starts it until its
//     handler runs. A handler runs exactly once per start, only inside turn(), and never inside the call that
//     starts or cancels the operation.
//  3. At most one read-side (accept, receive, wait_readable) and one write-side (connect, send, wait_writable)
//     operation is in flight per descriptor.
//  4. Before a descriptor is closed: no operation in flight on it, then forget(fd).
//  5. Destroying the driver with operations in flight is an error of its owner (asserted).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <troupe/env.hpp>

namespace troupe::detail {

struct io_operation {
  /// `result`: what the operation gives (bytes, a descriptor, 0), or a negated errno; -ECANCELED after
  /// cancel().
  using handler = void (*)(io_operation& self, std::int32_t result) noexcept;

  explicit io_operation(handler h) noexcept : on_complete(h) {}
  io_operation(const io_operation&) = delete;
  io_operation& operator=(const io_operation&) = delete;

  handler on_complete;
  bool in_flight = false;   // set by the driver from start to just before the handler runs
  std::uint64_t token = 0;  // the driver's own use
};

class io_driver {
 public:
  virtual ~io_driver() = default;

  virtual io_backend backend() const noexcept = 0;

  /// Result: a connected, non-blocking, close-on-exec descriptor that the handler owns.
  virtual void accept(io_operation& op, int listener) = 0;
  /// Result: 0.
  virtual void connect(io_operation& op, int socket, const endpoint& to) = 0;
  /// Result: 1…into.size() bytes, or 0 at end of stream.
  virtual void receive(io_operation& op, int socket, std::span<std::byte> into) = 0;
  /// Result: bytes sent, at least 1, possibly fewer than given. Never raises SIGPIPE.
  virtual void send(io_operation& op, int socket, std::span<const std::byte> from) = 0;
  /// Result: 0 once `fd` is readable or hung up. For events, pidfds, FIFOs and sockets that carry descriptors.
  virtual void wait_readable(io_operation& op, int fd) = 0;
  /// Result: 0 once there is room, or nobody who reads. For FIFOs.
  virtual void wait_writable(io_operation& op, int fd) = 0;
  /// Asks an operation in flight to end soon; it may still complete with its ordinary result.
  virtual void cancel(io_operation& op) noexcept = 0;
  virtual void forget(int fd) noexcept = 0;

  /// Submits what was started and runs the handlers of what has completed. With `until`, and if nothing had
  /// completed, sleeps until something does, wake() is called, or `until` is reached.
  virtual void turn(std::optional<instant> until) = 0;
  /// Whether turn() would find anything completed; nothing: only the kernel can say.
  virtual std::optional<bool> has_news() noexcept { return std::nullopt; }
  /// Ends the present or the next sleep of turn(). Any thread; async-signal-safe.
  virtual void wake() noexcept = 0;
};

}  // namespace troupe::detail
