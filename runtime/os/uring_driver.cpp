// The I/O driver over io_uring.
//
// Protocol. Starting an operation prepares a submission entry whose user data is the operation's address; the
// next turn() submits all of them with the one system call that also collects completions or sleeps. Entries
// are submitted in the order they were prepared, so a cancellation never hits a later start of the same
// operation. Completions are moved from the ring into `completed_` before any handler runs, hence a handler
// may start as many operations as it likes: when the submission queue is full it is submitted on the spot,
// and whatever completes meanwhile waits in `completed_` for the next turn.
//
// The ring is created disabled and enabled by the first turn: with SINGLE_ISSUER the kernel ties it to the
// thread that enables it, which has to be the worker's, not the one that creates the worker.
//
// | field                    | written by    | read by       |
// | ring, completed_, woken_ | own thread    | own thread    |
// | wake event (kernel)      | any thread    | the ring      |
#include "os/uring_driver.hpp"

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <vector>

#include "os/driver_base.hpp"
#include "os/errno_text.hpp"
#include "os/socket_address.hpp"

namespace troupe::detail {
namespace {

constexpr unsigned submission_entries = 256;
constexpr std::size_t most_bytes = std::size_t{1} << 30;  // an entry's length has 32 bits
constexpr unsigned required_features =
    IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG;
// Best first; kernels before 6.1 and 5.19 answer EINVAL to the first and the second.
constexpr unsigned flag_sets[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    0,
};

// User data that is no operation's address.
constexpr std::uint64_t no_operation = 0;
constexpr std::uint64_t wake_operation = 1;

/// What to make of a completion, kept in io_operation::token: `value` is a descriptor or an errno.
struct meaning {
  enum class kind : std::uint8_t { plain, accept, ready, refused };
  kind what = kind::plain;
  bool cancelled = false;
  std::int32_t value = 0;

  static meaning of(const io_operation& op) noexcept {
    return {static_cast<kind>(op.token >> 40), (op.token >> 32 & 1) != 0,
            static_cast<std::int32_t>(op.token)};
  }
  void store(io_operation& op) const noexcept {
    op.token = std::uint64_t{static_cast<std::uint8_t>(what)} << 40 | std::uint64_t{cancelled} << 32 |
               static_cast<std::uint32_t>(value);
  }
};

struct completion {
  std::uint64_t user_data;
  std::int32_t result;
};

class uring_driver final : public driver_base {
 public:
  uring_driver(descriptor wake_event, const io_uring& ring) noexcept
      : driver_base(std::move(wake_event)), ring_(ring) {}
  ~uring_driver() override { ::io_uring_queue_exit(&ring_); }

  io_backend backend() const noexcept override { return io_backend::uring; }

  // accept: a poll, then accept4() in the handler's turn. Kernels differ in what the ring's own accept does
  // with a non-blocking listener, and connections are rare beside messages.
  void accept(io_operation& op, int listener) override {
    begin(op, {meaning::kind::accept, false, listener});
    submit(op, [&](io_uring_sqe* entry) { ::io_uring_prep_poll_add(entry, listener, POLLIN); });
  }

  void connect(io_operation& op, int socket, const endpoint& to) override {
    const auto address = address_for(socket, to);
    if (!address) {
      begin(op, {meaning::kind::refused, false, EHOSTUNREACH});
      return submit(op, [](io_uring_sqe* entry) { ::io_uring_prep_nop(entry); });
    }
    begin(op, {});
    const socket_address& kept = addresses_.emplace_back(*address);
    submit(op, [&](io_uring_sqe* entry) { ::io_uring_prep_connect(entry, socket, kept.get(), kept.size); });
  }

  void receive(io_operation& op, int socket, std::span<std::byte> into) override {
    TROUPE_ASSERT(!into.empty(), "receive into at least one byte: 0 means end of stream");
    begin(op, {});
    submit(op, [&](io_uring_sqe* entry) {
      ::io_uring_prep_recv(entry, socket, into.data(), std::min(into.size(), most_bytes), 0);
    });
  }

  void send(io_operation& op, int socket, std::span<const std::byte> from) override {
    TROUPE_ASSERT(!from.empty(), "send at least one byte");
    begin(op, {});
    submit(op, [&](io_uring_sqe* entry) {
      // WAITALL lets the kernel go on with a large buffer by itself instead of completing in parts.
      const int flags = MSG_NOSIGNAL | MSG_WAITALL;
      ::io_uring_prep_send(entry, socket, from.data(), std::min(from.size(), most_bytes), flags);
    });
  }

  void wait_readable(io_operation& op, int fd) override {
    begin(op, {meaning::kind::ready, false, fd});
    submit(op, [&](io_uring_sqe* entry) { ::io_uring_prep_poll_add(entry, fd, POLLIN); });
  }

  void wait_writable(io_operation& op, int fd) override {
    begin(op, {meaning::kind::ready, false, fd});
    submit(op, [&](io_uring_sqe* entry) { ::io_uring_prep_poll_add(entry, fd, POLLOUT); });
  }

  void cancel(io_operation& op) noexcept override {
    TROUPE_ASSERT(op.in_flight, "cancel operations in flight only");
    meaning m = meaning::of(op);
    m.cancelled = true;
    m.store(op);
    submit(no_operation, [&](io_uring_sqe* entry) { ::io_uring_prep_cancel64(entry, user_data(op), 0); });
  }

  void forget(int) noexcept override {}  // the ring keeps nothing per descriptor

  void turn(std::optional<instant> until) override {
    if (!started_) start();
    const bool nothing_yet = completed_.empty() && !woken_ && ::io_uring_cq_ready(&ring_) == 0;
    const bool said_so = says_work_waits();
    if (until && nothing_yet)
      sleep(*until);
    else
      enter();
    reap();
    says_so_for_nothing_ = said_so && completed_.empty() && says_work_waits();
    run_handlers();
    if (until) woken_ = false;
  }

  std::optional<bool> has_news() noexcept override {
    return ::io_uring_cq_ready(&ring_) != 0 || (says_work_waits() && !says_so_for_nothing_);
  }

 private:
  static std::uint64_t user_data(io_operation& op) noexcept { return reinterpret_cast<std::uintptr_t>(&op); }

  void begin(io_operation& op, const meaning& m) noexcept {
    driver_base::begin(op);
    m.store(op);
  }

  template <class Prepare>
  void submit(std::uint64_t data, Prepare prepare) {
    io_uring_sqe* entry = nullptr;
    while ((entry = ::io_uring_get_sqe(&ring_)) == nullptr) make_room();
    prepare(entry);
    ::io_uring_sqe_set_data64(entry, data);
  }
  template <class Prepare>
  void submit(io_operation& op, Prepare prepare) {
    submit(user_data(op), prepare);
  }

  /// That the kernel deferred to us, or that overflowed the completion queue.
  bool says_work_waits() const noexcept {
    return (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  }

  void watch_wake() {
    if (std::exchange(wake_watched_, true)) return;
    submit(wake_operation,
           [&](io_uring_sqe* entry) { ::io_uring_prep_poll_add(entry, wake_event(), POLLIN); });
  }

  /// The first use by the worker's thread.
  void start() {
    started_ = true;
    if ((ring_.flags & IORING_SETUP_R_DISABLED) != 0) {
      // liburing 2.3 declares io_uring_enable_rings but does not export it.
      const auto r =
          ::syscall(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
      TROUPE_ASSERT(r == 0, "the ring was set up disabled, so that it can be enabled once");
    }
  }

  /// The submission queue is full in the middle of a turn.
  void make_room() {
    if (!started_) start();
    entered(::io_uring_submit(&ring_));
    reap();  // old kernels take no entry while completions overflow
  }

  /// Submits and collects without waiting; no system call when there is nothing to submit, no work that
  /// the kernel deferred to us, and nothing that overflowed the completion queue.
  void enter() {
    if (::io_uring_sq_ready(&ring_) > 0)
      entered(::io_uring_submit_and_get_events(&ring_));
    else if (says_work_waits())
      entered(::io_uring_get_events(&ring_));
  }

  void sleep(instant until) {
    const auto left = until - os_env().now();
    if (left <= duration::zero()) return enter();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    watch_wake();
    if (!completed_.empty()) return enter();  // it found no room, and what was submitted for that is over
    __kernel_timespec timeout{seconds.count(), (left - seconds).count()};
    io_uring_cqe* first = nullptr;
    entered(::io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr));
  }

  /// Passing failures leave their entries in the queue for the next turn.
  void entered(int r) {
    const bool passing = r >= 0 || r == -ETIME || r == -EINTR || r == -EAGAIN || r == -EBUSY || r == -ENOMEM;
    TROUPE_ASSERT(r != -EEXIST, "an I/O driver belongs to one thread: use it from its worker's thread only");
    TROUPE_ASSERT(passing, "io_uring_enter failed: the ring or its descriptor was damaged");
    if (::io_uring_sq_ready(&ring_) == 0) addresses_.clear();  // SUBMIT_STABLE: the kernel has its copies
  }

  /// What found no room in the completion queue the kernel keeps, and brings at the next entry.
  void reap() {
    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* entry = nullptr;
    io_uring_for_each_cqe(&ring_, head, entry) {
      completed_.push_back({entry->user_data, entry->res});
      ++count;
    }
    ::io_uring_cq_advance(&ring_, count);
  }

  void run_handlers() {
    const std::size_t count = completed_.size();  // handlers may add to it
    for (std::size_t i = 0; i < count; ++i) dispatch(completion(completed_[i]));
    completed_.erase(completed_.begin(), completed_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  void dispatch(completion c) {
    if (c.user_data == no_operation) return;
    if (c.user_data == wake_operation) {
      os_env().drain_event(wake_event());
      woken_ = true;
      wake_watched_ = false;  // until the next sleep, with whose system call the entry goes
      return;
    }
    io_operation& op = *reinterpret_cast<io_operation*>(static_cast<std::uintptr_t>(c.user_data));
    if (c.result == -EINTR) c.result = -ECANCELED;  // a cancellation that found it waiting in the kernel
    const meaning m = meaning::of(op);
    switch (m.what) {
      case meaning::kind::plain: return finish(op, c.result);
      case meaning::kind::ready: return finish(op, std::min(c.result, 0));
      case meaning::kind::refused: return finish(op, -m.value);
      case meaning::kind::accept: return c.result < 0 ? finish(op, c.result) : accept_now(op, m);
    }
  }

  void accept_now(io_operation& op, const meaning& m) {
    const int fd = ::accept4(m.value, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const int number = errno;
    if (fd >= 0) return finish(op, fd);
    if (number != EAGAIN && number != ECONNABORTED) return finish(op, -number);
    if (m.cancelled) return finish(op, -ECANCELED);  // it may have missed the poll
    submit(op, [&](io_uring_sqe* entry) { ::io_uring_prep_poll_add(entry, m.value, POLLIN); });
  }

  io_uring ring_;
  bool started_ = false;
  bool wake_watched_ = false;
  bool woken_ = false;  // a wake that no sleep has used up
  // Another processor hands us work and then says so; if we do the work in between, the kernel says so until there is more. Who looks
  // out for news would find some for ever.
  bool says_so_for_nothing_ = false;
  std::vector<completion> completed_;
  std::deque<socket_address> addresses_;  // of connects that are not submitted yet
};

std::string refusal(int number) {
  std::string fix = "; check the kernel's io_uring support";
  if (number == EPERM || number == EACCES)
    fix =
        "; allow io_uring_setup in the container's seccomp profile and in kernel.io_uring_disabled for the "
        "faster driver";
  else if (number == ENOSYS || number == EOPNOTSUPP || number == EINVAL)
    fix = "; Linux 5.11 or newer with io_uring has the faster driver";
  else if (number == ENOMEM)
    fix = "; raise the limit of locked memory (ulimit -l) for the faster driver";
  else if (number == EMFILE || number == ENFILE)
    fix = "; raise the limit of open files (ulimit -n)";
  return errno_name_and_text(number) + fix;
}

/// 0 or an errno.
int set_up(io_uring& ring) {
  int r = -EINVAL;
  for (const unsigned flags : flag_sets) {
    io_uring_params parameters{};
    parameters.flags = flags;
    r = ::io_uring_queue_init_params(submission_entries, &ring, &parameters);
    if (r != -EINVAL) break;
  }
  if (r < 0) return -r;
  if ((ring.features & required_features) == required_features) return 0;
  ::io_uring_queue_exit(&ring);
  return EOPNOTSUPP;
}

}  // namespace

result<std::unique_ptr<io_driver>, setup_error> make_uring_driver() {
  auto wake_event = os_env().open_event();
  if (!wake_event) return setup_error{refusal(wake_event.error().detail)};
  io_uring ring{};
  if (const int number = set_up(ring); number != 0) return setup_error{refusal(number)};
  std::unique_ptr<io_driver> driver = std::make_unique<uring_driver>(std::move(*wake_event), ring);
  return driver;
}

}  // namespace troupe::detail
