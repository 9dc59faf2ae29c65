// Listening and connecting sockets. A listener on a path owns its socket file: a stale file (nobody accepts
// behind it) is replaced, a live one is refused, and closing the listener removes it.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "os/errno_text.hpp"
#include "os/kernel_env.hpp"
#include "os/socket_address.hpp"

namespace troupe::detail {
namespace {

setup_error cannot(const char* what, const endpoint& where, const std::string& why_and_fix) {
  return setup_error{std::string("cannot ") + what + " " + where.url() + ": " + why_and_fix};
}

std::string fix_for(int number, const endpoint& at) {
  const bool tcp = at.family == endpoint::kind::tcp;
  switch (number) {
    case EACCES:
    case EPERM:
      if (tcp) return "choose a port above 1023";
      return "choose a directory that you may write to";
    case EADDRINUSE:
      if (tcp) return "stop the process that listens there, or choose another port (0 picks a free one)";
      return "stop the process that listens there, or choose another path";
    case EADDRNOTAVAIL: return "use an address of this host, or 0.0.0.0 for all of them";
    case EAFNOSUPPORT: return "use an IPv4 address";
    case EMFILE:
    case ENFILE: return "raise the limit of open files (ulimit -n)";
    case ENOENT:
    case ENOTDIR: return "create the directory first";
    default: return "check the address";
  }
}

setup_error failed(const char* what, const endpoint& where, int number) {
  return cannot(what, where, errno_text(number) + "; " + fix_for(number, where));
}

int open_stream(int family) noexcept {
  return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void enable(int fd, int level, int option) noexcept {
  const int on = 1;
  ::setsockopt(fd, level, option, &on, sizeof on);
}

/// Removes the socket file if nobody listens behind it. connect() refuses any file that is not a listening
/// socket, so the file's type is looked at first: an ordinary file is never removed.
bool remove_stale(const std::string& path, const socket_address& address) {
  struct stat file{};
  if (::lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const int probe = open_stream(AF_UNIX);
  if (probe < 0) return false;
  const bool refused = ::connect(probe, address.get(), address.size) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return refused && ::unlink(path.c_str()) == 0;
}

/// 0 or an errno.
int bind_to(int fd, const endpoint& at, const socket_address& address) {
  if (::bind(fd, address.get(), address.size) == 0) return 0;
  if (errno != EADDRINUSE) return errno;
  const bool is_file = at.family == endpoint::kind::local && at.path[0] == '/';
  if (!is_file || !remove_stale(at.path, address)) return EADDRINUSE;
  return ::bind(fd, address.get(), address.size) == 0 ? 0 : errno;
}

/// The same, also at the address of a process that was killed a moment ago: the kernel closes what was in its io_uring some
/// milliseconds later.
int bind_within(duration patience, int fd, const endpoint& at, const socket_address& address) {
  constexpr auto pause = std::chrono::milliseconds(10);
  int number = bind_to(fd, at, address);
  for (auto left = patience; number == EADDRINUSE && left >= pause; left -= pause) {
    std::this_thread::sleep_for(pause);
    number = bind_to(fd, at, address);
  }
  return number;
}

}  // namespace

result<descriptor, setup_error> kernel_env::listen(const endpoint& at, int backlog, duration patience) {
  const char* const what = "listen on";
  const auto address = address_of(at);
  if (!address) return cannot(what, at, address.error().text);

  descriptor listener(*this, open_stream(address->family()));
  if (!listener) return failed(what, at, errno);
  if (at.family == endpoint::kind::tcp) {
    enable(listener.get(), SOL_SOCKET, SO_REUSEADDR);
    enable(listener.get(), IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit it
  }
  if (const int number = bind_within(patience, listener.get(), at, *address); number != 0)
    return failed(what, at, number);
  if (at.family == endpoint::kind::local && at.path[0] == '/') {
    const std::lock_guard lock(mutex_);
    socket_files_.emplace(listener.get(), at.path);
  }
  if (::listen(listener.get(), backlog) != 0) return failed(what, at, errno);
  return listener;
}

result<std::vector<endpoint>, setup_error> kernel_env::resolve(const endpoint& to) {
  if (to.is_numeric()) return std::vector{to};
  auto found = addresses_of(to);
  if (!found) return cannot("connect to", to, found.error().text);
  return found;
}

result<descriptor, setup_error> kernel_env::open_socket(const endpoint& to) {
  const char* const what = "connect to";
  const auto address = address_of(to);
  if (!address) return cannot(what, to, address.error().text);
  descriptor socket(*this, open_stream(address->family()));
  if (!socket) return failed(what, to, errno);
  if (to.family == endpoint::kind::tcp) enable(socket.get(), IPPROTO_TCP, TCP_NODELAY);
  return socket;
}

endpoint kernel_env::local_endpoint(int fd) {
  socket_address address;
  address.size = sizeof address.storage;
  if (::getsockname(fd, address.get(), &address.size) != 0) return endpoint{};
  return endpoint_of(address);
}

endpoint kernel_env::remote_endpoint(int fd) {
  socket_address address;
  address.size = sizeof address.storage;
  if (::getpeername(fd, address.get(), &address.size) != 0) return endpoint{};
  return endpoint_of(address);
}

void kernel_env::close(int fd) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (const auto file = socket_files_.find(fd); file != socket_files_.end()) {
      ::unlink(file->second.c_str());
      socket_files_.erase(file);
    }
  }
  ::close(fd);
}

}  // namespace troupe::detail
