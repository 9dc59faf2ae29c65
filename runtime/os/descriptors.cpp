// What a local socket can do beyond bytes: vouch for the peer's process and carry descriptors. And events, and doorbells.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <troupe/assert.hpp>
#include "os/kernel_env.hpp"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5; not in Debian 12's headers
#endif

namespace troupe::detail {
namespace {

constexpr std::size_t max_descriptors = 253;    // the kernel's SCM_MAX_FD
constexpr std::size_t max_bytes_beside = 4096;  // goes as one buffer: all of it or nothing is sent
using control_buffer = std::byte[CMSG_SPACE(max_descriptors * sizeof(int))];

/// The kernel's own handle of the peer where it has one. pidfd_open on the peer's pid is the older way: the
/// pid could belong to another process by now, so it is not tried when the kernel knows better.
int pidfd_of_peer(int local_socket, pid_t pid) noexcept {
  int pidfd = -1;
  socklen_t size = sizeof pidfd;
  if (::getsockopt(local_socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0) return pidfd;
  if (errno != ENOPROTOOPT) return -1;
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

error last_error() noexcept {
  switch (errno) {
    case EAGAIN: return errc::full;
    case EPIPE:
    case ECONNRESET: return errc::closed;
    default: return error(errc::io_failed, errno);
  }
}

void take_descriptors(env& owner, msghdr& message, std::size_t at_most, std::vector<descriptor>& out) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      descriptor one(owner, fd);  // closes what is not wanted
      if (out.size() < at_most) out.push_back(std::move(one));
    }
  }
}

}  // namespace

result<peer_process> kernel_env::peer_of(int local_socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(local_socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return error(errc::io_failed, errno);
  peer_process peer;
  peer.uid = credentials.uid;
  peer.pid = credentials.pid;
  peer.pidfd = descriptor(*this, pidfd_of_peer(local_socket, credentials.pid));
  return peer;
}

result<void> kernel_env::send_descriptors(int local_socket, std::span<const std::byte> bytes,
                                          std::span<const int> descriptors) {
  TROUPE_ASSERT(!bytes.empty(), "descriptors travel with at least one byte");
  if (bytes.size() > max_bytes_beside || descriptors.size() > max_descriptors) return error(errc::too_large);

  iovec data{const_cast<std::byte*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) control_buffer control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(c), descriptors.data(), descriptors.size_bytes());
  }
  const auto sent = ::sendmsg(local_socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return last_error();
  if (static_cast<std::size_t>(sent) != bytes.size()) return error(errc::io_failed, EMSGSIZE);
  return {};
}

result<received_descriptors> kernel_env::receive_descriptors(int local_socket, std::span<std::byte> into,
                                                             std::size_t at_most) {
  TROUPE_ASSERT(!into.empty() && at_most <= max_descriptors, "give room for a byte, and ask for at most 253");
  iovec data{into.data(), into.size()};
  alignas(cmsghdr) control_buffer control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  // The kernel drops descriptors that find no room here, so a flood of them never enters this process;
  // alignment may leave room for one too many, which take_descriptors closes.
  message.msg_controllen = CMSG_SPACE(at_most * sizeof(int));

  const auto got = ::recvmsg(local_socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0) return last_error();
  received_descriptors received;
  received.bytes = static_cast<std::size_t>(got);
  received.descriptors.reserve(at_most);
  take_descriptors(*this, message, at_most, received.descriptors);
  if (got == 0) return error(errc::closed);
  return received;
}

result<descriptor> kernel_env::open_event() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return error(errc::io_failed, errno);
  return descriptor(*this, fd);
}

// Both keep errno, so that io_driver::wake() may be called from a signal handler. Their only possible failure
// says that there is nothing to do: the counter is full (signalled enough), or zero (drained).
void kernel_env::signal_event(int fd) noexcept {
  const int saved = errno;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto ignored = ::write(fd, &one, sizeof one);
  errno = saved;
}

void kernel_env::drain_event(int fd) noexcept {
  const int saved = errno;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto ignored = ::read(fd, &count, sizeof count);
  errno = saved;
}

// A doorbell is a pipe of its own for each way, and no event that two processes share: such a one's flags and count are everybody's,
// so that a peer could make reads and writes of it wait. Who rings makes the pipe and passes the end that is read; it keeps both:
// nobody else has the end that it writes to, which does not block, and it reads from the other never, but with it writing raises
// no signal. Who hears trusts no flag of what it was passed: SPLICE_F_NONBLOCK is of the call. What remains: the kernel copies
// under a lock of the pipe, so a peer whose own memory waits for a page (of a file system that it serves itself) holds up who
// rings at it. Such a peer runs as the same user, who can stop this process as well.

result<doorbell> kernel_env::open_doorbell() {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return error(errc::io_failed, errno);
  return doorbell{descriptor(*this, ends[0]), descriptor(*this, ends[1])};
}

bool kernel_env::can_hear(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY && hear(fd);
}

void kernel_env::ring(int fd) noexcept {
  const char any = 0;  // if it finds no room, it has rung often enough
  [[maybe_unused]] const auto ignored = ::write(fd, &any, sizeof any);
}

bool kernel_env::hear(int fd) noexcept {
  char rings[4096];
  const iovec into{rings, sizeof rings};
  ssize_t heard = 0;
  do {
    heard = ::vmsplice(fd, &into, 1, SPLICE_F_NONBLOCK);
  } while (heard < 0 && errno == EINTR);
  return heard > 0 || (heard < 0 && errno == EAGAIN);
}

}  // namespace troupe::detail
