#include "chat/terminal.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace chat {
namespace {

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

}  // namespace

troupe::result<terminal, troupe::setup_error> terminal::dial(std::uint16_t port, bool narrow) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  terminal fresh(fd);
  if (narrow) {
    // Small segments keep the other side's send buffer small, too: loopback's large ones make it megabytes.
    set_option(fd, SOL_SOCKET, SO_RCVBUF, 4096);
    set_option(fd, IPPROTO_TCP, TCP_MAXSEG, 536);
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return fresh;
  return troupe::setup_error("cannot connect to 127.0.0.1:" + std::to_string(port) + ": " +
                             std::generic_category().message(errno));
}

terminal::terminal(terminal&& o) noexcept
    : fd_(std::exchange(o.fd_, -1)), received_(std::move(o.received_)) {}
terminal& terminal::operator=(terminal&& o) noexcept {
  std::swap(fd_, o.fd_);
  std::swap(received_, o.received_);
  return *this;
}
terminal::~terminal() {
  if (fd_ >= 0) ::close(fd_);
}

bool terminal::type(std::string_view line) {
  const std::string bytes = std::string(line) + "\n";
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) return false;
    sent += static_cast<std::size_t>(std::max<ssize_t>(n, 0));
  }
  return true;
}

bool terminal::receive(troupe::duration at_most) {
  using std::chrono::milliseconds;
  pollfd watched{fd_, POLLIN, 0};
  const auto wait = std::chrono::ceil<milliseconds>(std::max(at_most, troupe::duration::zero()));
  if (::poll(&watched, 1, static_cast<int>(wait.count())) <= 0) return true;
  std::array<char, 16384> block;
  const ssize_t n = ::recv(fd_, block.data(), block.size(), MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  received_.append(block.data(), static_cast<std::size_t>(n));
  return n != 0;
}

std::optional<std::string> terminal::line() {
  const std::size_t lf = received_.find('\n');
  if (lf == std::string::npos) return std::nullopt;
  std::string first = received_.substr(0, lf);
  received_.erase(0, lf + 1);
  return first;
}

std::optional<std::string> terminal::find(std::string_view part, troupe::duration within) {
  const troupe::instant until = troupe::os_env().now() + within;
  bool open = true;
  for (;;) {
    while (auto next = line()) {
      if (next->find(part) != std::string::npos) return next;
    }
    const troupe::instant now = troupe::os_env().now();
    if (!open || now >= until) return std::nullopt;
    open = receive(until - now);
  }
}

}  // namespace chat
