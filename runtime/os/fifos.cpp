// FIFOs: opening them without waiting for the other end, reading, and writing without SIGPIPE.
//
// Who reads one for good opens it for writing as well, which Linux allows: so it always has a writer, and no end. To open it
// anew at each end would lose what the next writer has written by then.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "os/errno_text.hpp"
#include "os/kernel_env.hpp"

namespace troupe::detail {
namespace {

setup_error cannot_open(const std::string& path, const std::string& why_and_fix) {
  return setup_error("cannot open the FIFO " + path + ": " + why_and_fix);
}

setup_error failed(const std::string& path, int number) {
  switch (number) {
    case ENXIO: return cannot_open(path, "nobody reads it; start who does, or try again later");
    case ENOENT:
    case ENOTDIR: return cannot_open(path, errno_text(number) + "; make it first (mkfifo)");
    case EACCES: return cannot_open(path, errno_text(number) + "; set its mode (chmod)");
    case EMFILE:
    case ENFILE: return cannot_open(path, errno_text(number) + "; raise the limit of open files (ulimit -n)");
    default: return cannot_open(path, errno_text(number) + "; check the path");
  }
}

int flags_for(fifo_use how) noexcept {
  switch (how) {
    case fifo_use::read: return O_RDWR;
    case fifo_use::read_to_end: return O_RDONLY;
    case fifo_use::write: break;
  }
  return O_WRONLY;
}

/// Holds SIGPIPE back in this thread, the only one that a write here can send it to. take() makes an end of it, unless one was
/// held back before: that is somebody else's.
class without_sigpipe {
 public:
  without_sigpipe() noexcept {
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::sigemptyset(&sigpipe_);
    ::sigaddset(&sigpipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  without_sigpipe(const without_sigpipe&) = delete;
  without_sigpipe& operator=(const without_sigpipe&) = delete;
  ~without_sigpipe() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  void take() const noexcept {
    const timespec at_once{};
    while (!was_pending_ && ::sigtimedwait(&sigpipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }

 private:
  sigset_t sigpipe_;
  sigset_t before_;
  bool was_pending_;
};

error failure(int number) noexcept {
  if (number == EAGAIN || number == EINTR) return errc::full;  // it is tried again
  return error(errc::io_failed, number);
}

}  // namespace

result<descriptor, setup_error> kernel_env::open_fifo(const std::string& path, fifo_use how) {
  constexpr auto something_else = "it is something else; choose another path";
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return failed(path, errno);
  if (!S_ISFIFO(found.st_mode)) return cannot_open(path, something_else);  // whose opening may do something
  descriptor fifo(*this, ::open(path.c_str(), flags_for(how) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fifo) return failed(path, errno);
  if (::fstat(fifo.get(), &found) != 0 || !S_ISFIFO(found.st_mode)) return cannot_open(path, something_else);
  return fifo;
}

result<std::size_t> kernel_env::read_fifo(int fifo, std::span<std::byte> into) {
  const ssize_t n = ::read(fifo, into.data(), into.size());
  if (n < 0) return failure(errno);
  return static_cast<std::size_t>(n);
}

result<std::size_t> kernel_env::write_fifo(int fifo, std::span<const std::byte> from) {
  const without_sigpipe quiet;
  const ssize_t n = ::write(fifo, from.data(), from.size());
  if (n >= 0) return static_cast<std::size_t>(n);
  const int number = errno;
  if (number == EPIPE) quiet.take();
  return failure(number);
}

}  // namespace troupe::detail
