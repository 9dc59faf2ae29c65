#include "stream_socket.hpp"

#include <troupe/assert.hpp>

namespace troupe::detail {

stream_socket::stream_socket(worker& home, descriptor socket) noexcept
    : inward(*this,
             [](io_operation& op, std::int32_t result) noexcept {
               stream_socket& self = static_cast<side&>(op).of;
               self.inward_done(result);
               self.settle();
             }),
      outward(*this,
              [](io_operation& op, std::int32_t result) noexcept {
                stream_socket& self = static_cast<side&>(op).of;
                self.outward_done(result);
                self.settle();
              }),
      home_(home),
      socket_(std::move(socket)) {}

void stream_socket::assert_here() const noexcept {
  TROUPE_ASSERT(
      current_worker == &home_,
      "use a stream on the worker that opened it: in the same actor, or in actors spawned on that worker");
}

void stream_socket::retain() noexcept {
  assert_here();
  ++handles_;
}

void stream_socket::release() noexcept {
  assert_here();
  if (--handles_ != 0) return;
  shut();
  settle();
}

void stream_socket::close() noexcept {
  shut();
  settle();
}

void stream_socket::shut() noexcept {
  if (std::exchange(closed_, true)) return;
  closed();
  if (inward.in_flight) io().cancel(inward);
  if (outward.in_flight) io().cancel(outward);
}

void stream_socket::settle() noexcept {
  if (!closed_) return;
  const bool busy = inward.in_flight || outward.in_flight;
  if (busy && !lingers_) ++home_.closing;
  if (!busy && lingers_) --home_.closing;
  lingers_ = busy;
  if (busy) return;
  if (socket_) {
    io().forget(fd());
    socket_.reset();
  }
  if (handles_ == 0) delete this;
}

}  // namespace troupe::detail
