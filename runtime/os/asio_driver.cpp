// The I/O driver over Boost.Asio's reactor.
//
// Protocol. An operation is an `attempt`: a system call that is tried when the operation starts and, as long
// as the kernel says EAGAIN, again each time the reactor finds the descriptor ready. What succeeds at the
// start waits in `ready_`, so that handlers run inside turn() only. Cancelling ends all waits on the
// descriptor; those that were not meant simply try again.
//
// Everything runs on the worker's thread; wake() writes to an event that the reactor watches.
#include "os/asio_driver.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <unordered_map>
#include <vector>

#include "os/driver_base.hpp"
#include "os/errno_text.hpp"
#include "os/socket_address.hpp"

namespace troupe::detail {
namespace {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;
using boost::system::error_code;

constexpr int handlers_a_turn =
    256;  // more are left to the next turn, so that one flood cannot stall a worker

/// io_operation::token while in flight: the descriptor, and whether cancel() was called.
constexpr std::uint64_t cancelled_bit = std::uint64_t{1} << 32;

/// A descriptor or count, a negated errno, or nothing when the kernel says "not yet".
template <class Attempt>
std::optional<std::int32_t> outcome(Attempt& attempt) {
  ssize_t r = 0;
  do r = attempt();
  while (r < 0 && errno == EINTR);
  if (r >= 0) return static_cast<std::int32_t>(std::min<ssize_t>(r, INT32_MAX));
  if (errno == EAGAIN) return std::nullopt;
  return -errno;
}

/// 0 once one of `events`, an error or a hang-up is there; else -1 with EAGAIN.
int look(int fd, short events) {
  pollfd p{fd, events, 0};
  const int n = ::poll(&p, 1, 0);
  if (n == 0) errno = EAGAIN;
  if (n > 0 && (p.revents & POLLNVAL) != 0) errno = EBADF;
  return n > 0 && (p.revents & POLLNVAL) == 0 ? 0 : -1;
}

/// How a connection attempt that was under way ended.
int connected(int socket) {
  if (look(socket, POLLOUT) != 0) return -1;
  int number = 0;
  socklen_t size = sizeof number;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &number, &size) != 0) return -1;
  errno = number;
  return number == 0 ? 0 : -1;
}

class asio_driver final : public driver_base {
 public:
  explicit asio_driver(descriptor wake_event) : driver_base(std::move(wake_event)) {
    wake_.assign(this->wake_event());
    watch_wake();
  }
  ~asio_driver() override {
    wake_.release();
    for (auto& [fd, watched] : watched_) watched.release();
  }

  io_backend backend() const noexcept override { return io_backend::asio; }

  void accept(io_operation& op, int listener) override {
    start(op, listener, stream_descriptor::wait_read,
          [=] { return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
  }

  void connect(io_operation& op, int socket, const endpoint& to) override {
    begin(op, socket);
    const auto address = address_for(socket, to);
    if (!address) return later(op, -EHOSTUNREACH);
    if (::connect(socket, address->get(), address->size) == 0) return later(op, 0);
    if (errno != EINPROGRESS) return later(op, -errno);
    wait(op, socket, stream_descriptor::wait_write, [=] { return connected(socket); });
  }

  void receive(io_operation& op, int socket, std::span<std::byte> into) override {
    TROUPE_ASSERT(!into.empty(), "receive into at least one byte: 0 means end of stream");
    start(op, socket, stream_descriptor::wait_read,
          [=] { return ::recv(socket, into.data(), into.size(), MSG_DONTWAIT); });
  }

  void send(io_operation& op, int socket, std::span<const std::byte> from) override {
    TROUPE_ASSERT(!from.empty(), "send at least one byte");
    start(op, socket, stream_descriptor::wait_write,
          [=] { return ::send(socket, from.data(), from.size(), MSG_DONTWAIT | MSG_NOSIGNAL); });
  }

  void wait_readable(io_operation& op, int fd) override {
    start(op, fd, stream_descriptor::wait_read, [=] { return look(fd, POLLIN); });
  }

  void wait_writable(io_operation& op, int fd) override {
    start(op, fd, stream_descriptor::wait_write, [=] { return look(fd, POLLOUT); });
  }

  void cancel(io_operation& op) noexcept override {
    TROUPE_ASSERT(op.in_flight, "cancel operations in flight only");
    const int fd = static_cast<int>(op.token);
    op.token |= cancelled_bit;
    error_code ignored;
    if (const auto it = watched_.find(fd); it != watched_.end()) it->second.cancel(ignored);
  }

  void forget(int fd) noexcept override {
    const auto it = watched_.find(fd);
    if (it == watched_.end()) return;
    it->second.release();
    watched_.erase(it);
  }

  std::optional<bool> has_news() noexcept override {
    if (in_flight() > 0) return std::nullopt;
    return !ready_.empty();
  }

  void turn(std::optional<instant> until) override {
    progressed_ = false;
    run_ready();
    if (until) sleep(*until);
    if (in_flight() > 0 || until)
      for (int n = 0; n < handlers_a_turn && context_.poll_one() > 0; ++n) {
      }
    if (until) woken_ = false;
  }

 private:
  struct completion {
    io_operation* op;
    std::int32_t result;
  };

  void begin(io_operation& op, int fd) noexcept {
    driver_base::begin(op);
    op.token = static_cast<std::uint32_t>(fd);
  }

  void complete(io_operation& op, std::int32_t result) noexcept {
    progressed_ = true;
    finish(op, result);
  }

  void later(io_operation& op, std::int32_t result) { ready_.push_back({&op, result}); }

  template <class Attempt>
  void start(io_operation& op, int fd, stream_descriptor::wait_type direction, Attempt attempt) {
    begin(op, fd);
    if (const auto r = outcome(attempt))
      later(op, *r);
    else
      wait(op, fd, direction, attempt);
  }

  template <class Attempt>
  void wait(io_operation& op, int fd, stream_descriptor::wait_type direction, Attempt attempt) {
    stream_descriptor* const watched = watch(op, fd);
    if (watched == nullptr) return;
    watched->async_wait(direction, [this, &op, fd, direction, attempt](error_code failure) mutable {
      if ((op.token & cancelled_bit) != 0) return complete(op, -ECANCELED);
      if (failure && failure != asio::error::operation_aborted) return complete(op, -failure.value());
      if (const auto r = outcome(attempt)) return complete(op, *r);
      wait(op, fd, direction, attempt);
    });
  }

  /// The reactor's entry for `fd`, made when it first has to wait. nullptr: refused, and `op` completes so.
  stream_descriptor* watch(io_operation& op, int fd) {
    if (const auto it = watched_.find(fd); it != watched_.end()) return &it->second;
    stream_descriptor fresh(context_);
    error_code failure;
    fresh.assign(fd, failure);
    if (failure) {
      later(op, -failure.value());
      return nullptr;
    }
    return &watched_.emplace(fd, std::move(fresh)).first->second;
  }

  void watch_wake() {
    wake_.async_wait(stream_descriptor::wait_read, [this](error_code) {
      os_env().drain_event(wake_event());
      woken_ = true;
      watch_wake();
    });
  }

  void run_ready() {
    running_.swap(ready_);
    for (const completion& c : running_) complete(*c.op, c.result);
    running_.clear();
  }

  void sleep(instant until) {
    while (!progressed_ && !woken_ && os_env().now() < until) {
      set_alarm(until);
      context_.run_one();
    }
  }

  /// Makes run_one() return at `until`. An alarm that is already set for then is left as it is.
  void set_alarm(instant until) {
    if (alarm_at_ == until) return;
    alarm_at_ = until;
    alarm_.expires_at(asio::steady_timer::time_point(until.time_since_epoch()));
    alarm_.async_wait([](error_code) {});
  }

  asio::io_context context_{1};  // one thread runs it
  asio::steady_timer alarm_{context_};
  std::optional<instant> alarm_at_;
  stream_descriptor wake_{context_};
  bool woken_ = false;       // a wake that no sleep has used up
  bool progressed_ = false;  // a handler ran in this turn
  std::unordered_map<int, stream_descriptor> watched_;
  std::vector<completion> ready_;
  std::vector<completion> running_;
};

}  // namespace

result<std::unique_ptr<io_driver>, setup_error> make_asio_driver() {
  const std::string fix = "; raise the limit of open files (ulimit -n)";
  auto wake_event = os_env().open_event();
  if (!wake_event) return setup_error{"cannot open an event: " + errno_text(wake_event.error().detail) + fix};
  try {
    std::unique_ptr<io_driver> driver = std::make_unique<asio_driver>(std::move(*wake_event));
    return driver;
  } catch (const boost::system::system_error& refused) {
    return setup_error{"cannot set up Boost.Asio's reactor: " + errno_text(refused.code().value()) + fix};
  }
}

}  // namespace troupe::detail
