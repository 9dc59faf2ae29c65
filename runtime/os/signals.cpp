#include "signals.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include <troupe/assert.hpp>

namespace troupe::detail {

bool asks_for_a_dump(int signal) noexcept { return signal == SIGQUIT; }

struct signal_watch::state {
  sigset_t before;
  int fd;
};

signal_watch::signal_watch() : state_(new state) {
  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, SIGTERM);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGQUIT);
  pthread_sigmask(SIG_BLOCK, &watched, &state_->before);
  state_->fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  TROUPE_ASSERT(state_->fd >= 0, "signalfd failed: is the process out of descriptors?");
}

signal_watch::~signal_watch() {
  ::close(state_->fd);
  pthread_sigmask(SIG_SETMASK, &state_->before, nullptr);
  delete state_;
}

int signal_watch::wait(int fd) {
  for (;;) {
    pollfd both[] = {{state_->fd, POLLIN, 0}, {fd, POLLIN, 0}};
    if (::poll(both, 2, -1) < 0 && errno != EINTR) return 0;
    signalfd_siginfo info;
    if (::read(state_->fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo == SIGINT) {  // who presses Ctrl-C again does not want to wait for an ordered stop
        sigset_t again;
        sigemptyset(&again);
        sigaddset(&again, SIGINT);
        pthread_sigmask(SIG_UNBLOCK, &again, nullptr);
      }
      return static_cast<int>(info.ssi_signo);
    }
    if ((both[1].revents & POLLIN) != 0) return 0;
  }
}

}  // namespace troupe::detail
