// A socket that outlives its handles until the kernel has let go of its buffers.
//
// Protocol. Handles count references. close(), or the release of the last handle, tells whoever waits,
// cancels the operations in flight, and waits: only when their handlers have run is the descriptor forgotten
// and closed, and only then, with no handle left, the object destroyed. Until then it counts in
// worker::closing, so that a worker does not end under it. Everything runs on the home worker.
#pragma once

#include <cstdint>
#include <utility>

#include <troupe/detail/worker.hpp>

#include "io_driver.hpp"

namespace troupe::detail {

class stream_socket {
 public:
  stream_socket(const stream_socket&) = delete;
  stream_socket& operator=(const stream_socket&) = delete;

  void retain() noexcept;
  void release() noexcept;
  void close() noexcept;
  bool is_closed() const noexcept { return closed_; }
  void assert_here() const noexcept;
  worker& home() const noexcept { return home_; }

 protected:
  /// Born with one reference.
  stream_socket(worker& home, descriptor socket) noexcept;
  virtual ~stream_socket() = default;

  /// `inward`: accept, receive. `outward`: connect, send.
  struct side : io_operation {
    side(stream_socket& o, handler h) noexcept : io_operation(h), of(o) {}
    stream_socket& of;
  };
  /// Their results come even after closed(). They resume no coroutine and drop no handle.
  virtual void inward_done(std::int32_t result) noexcept = 0;
  virtual void outward_done(std::int32_t result) noexcept = 0;
  /// Tells whoever waits that the socket is closed.
  virtual void closed() noexcept = 0;

  int fd() const noexcept { return socket_.get(); }
  io_driver& io() const noexcept { return home_.io(); }

  side inward;
  side outward;

 private:
  void shut() noexcept;
  void settle() noexcept;

  worker& home_;
  descriptor socket_;
  std::uint32_t handles_ = 1;
  bool closed_ = false;
  bool lingers_ = false;  // closed, and counted in worker::closing
};

}  // namespace troupe::detail
