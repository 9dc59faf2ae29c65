// Child processes: starting, ending and reaping them, and the link that a child inherits.
//
// A child is made by vfork: memory is not copied, so it is as quick in a large process as in a small one, and the thread
// that starts it sleeps until the child has its own program. Between vfork and exec only functions run that are safe in a
// signal handler, and they write nothing but their own locals. What fails there is told through a pipe that the exec closes.
//
// The death of the parent. PR_SET_PDEATHSIG is sent when the parent's *thread* ends. That is what is wanted here: a child
// belongs to an actor, and so to a worker, whose thread does not end before the child is reaped.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include <troupe/assert.hpp>
#include "os/errno_text.hpp"
#include "os/kernel_env.hpp"

namespace troupe {

std::string exit_status::text() const {
  if (signal != 0) {
    const char* const name = ::sigabbrev_np(signal);
    return "killed by " + (name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal));
  }
  if (code < 0) return "exit status unknown: something else in this program has waited for it";
  return "exit status " + std::to_string(code);
}

}  // namespace troupe

namespace troupe::detail {
namespace {

constexpr char link_variable[] = "TROUPE_LINK";  // the number of the descriptor
constexpr int link_number = 3;
constexpr int above_all = 10;  // descriptors are put aside from here on, while the lowest get their places

enum class step : int { streams, folder, program };
struct failed_step {
  step what;
  int number;  // errno
};

/// Everything that the child needs, made before it is: it may not allocate.
struct plan {
  const char* file;
  char* const* arguments;
  char* const* environment;
  const char* folder;         // null: as it is
  std::array<int, 4> become;  // what is to be descriptor 0, 1, 2 and 3; -1: leave it
  int failure;                // the pipe
  pid_t parent;
  int when_parent_dies;
};

[[noreturn]] void give_up(const plan& p, step what) noexcept {
  const failed_step why{what, errno};
  [[maybe_unused]] const auto ignored = ::write(p.failure, &why, sizeof why);
  ::_exit(127);
}

void reset_signals() noexcept {
  struct sigaction usual{};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &usual, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// dup2 onto itself would leave the descriptor to be closed by exec, and onto one that is needed yet would lose that.
void place_descriptors(plan& p) noexcept {
  const int above = ::fcntl(p.failure, F_DUPFD_CLOEXEC, above_all);
  if (above < 0) give_up(p, step::streams);
  p.failure = above;
  std::array<int, 4> aside{};
  for (std::size_t i = 0; i < aside.size(); ++i) {
    aside[i] = p.become[i] < 0 ? -1 : ::fcntl(p.become[i], F_DUPFD_CLOEXEC, above_all);
    if (p.become[i] >= 0 && aside[i] < 0) give_up(p, step::streams);
  }
  for (int to = 0; to < static_cast<int>(aside.size()); ++to) {
    const int from = aside[static_cast<std::size_t>(to)];
    if (from >= 0 && ::dup2(from, to) < 0) give_up(p, step::streams);
  }
  // Ours are close-on-exec in any case; those of the program that troupe is a part of may not be.
  const unsigned first = p.become[link_number] >= 0 ? link_number + 1 : link_number;
  ::close_range(first, ~0u, CLOSE_RANGE_CLOEXEC);
}

[[noreturn]] void be_the_child(plan p) noexcept {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, p.when_parent_dies);
  const pid_t parent = ::getppid();
  if (parent != p.parent && parent != 0)
    ::_exit(127);  // it has died already; 0: it is outside of our pid namespace
  place_descriptors(p);
  if (p.folder != nullptr && ::chdir(p.folder) != 0) give_up(p, step::folder);
  reset_signals();
  ::execvpe(p.file, p.arguments, p.environment);
  give_up(p, step::program);
}

/// The child's pid, or -1.
pid_t fork_and_run(const plan& p) noexcept {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler may run in the child while it has our memory
  const pid_t child = ::vfork();
  if (child == 0) be_the_child(p);
  const int number = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = number;
  return child;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& t : texts) all.push_back(t.data());
  all.push_back(nullptr);
  return all;
}

std::string_view name_of(std::string_view variable) noexcept {
  return variable.substr(0, variable.find('='));
}

std::vector<std::string> environment_of(const program& what, bool linked) {
  std::vector<std::string> all = what.environment;
  if (linked) all.push_back(link_variable + std::string("=") + std::to_string(link_number));
  const std::size_t own = all.size();
  for (char** inherited = environ; *inherited != nullptr; ++inherited) {
    bool replaced = name_of(*inherited) == link_variable;
    for (std::size_t i = 0; i < own; ++i) replaced = replaced || name_of(all[i]) == name_of(*inherited);
    if (!replaced) all.emplace_back(*inherited);
  }
  return all;
}

std::string fix_for(int number) {
  switch (number) {
    case ENOENT: return "give its path, or install it where PATH leads";
    case EACCES: return "make it a file that you may execute";
    case ENOEXEC: return "give it a first line that names its interpreter";
    case EMFILE:
    case ENFILE: return "raise the limit of open files (ulimit -n)";
    case EAGAIN: return "raise the limit of processes (ulimit -u)";
    case E2BIG: return "give it shorter arguments";
    default: return "check the program";
  }
}

setup_error failed(const program& what, int number) {
  return setup_error("cannot start " + what.path + ": " + errno_text(number) + "; " + fix_for(number));
}

setup_error failed(const program& what, const failed_step& why) {
  if (why.what != step::folder) return failed(what, why.number);
  return setup_error("cannot start " + what.path + " in " + what.folder + ": " + errno_text(why.number) +
                     "; give it a folder that it may use");
}

/// Both ends of a local socket: ours does not block, the child's does.
struct socket_pair {
  descriptor ours;
  descriptor theirs;
};

socket_pair make_pair_of_sockets(env& owner) noexcept {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return {};
  socket_pair both{descriptor(owner, ends[0]), descriptor(owner, ends[1])};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return both;
}

/// What becomes a standard stream of the child. `ours` is set for a stream. False: out of descriptors.
bool prepare(env& owner, stdio how, descriptor& theirs, descriptor& ours) {
  if (how == stdio::inherit) return true;
  if (how == stdio::null) {
    theirs = descriptor(owner, ::open("/dev/null", O_RDWR | O_CLOEXEC));
  } else {
    socket_pair both = make_pair_of_sockets(owner);
    ours = std::move(both.ours);
    theirs = std::move(both.theirs);
  }
  return static_cast<bool>(theirs);
}

void reap(pid_t child) noexcept {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

/// Where SIGCHLD is ignored, the kernel reaps children itself, and nobody learns how they ended.
bool children_vanish() noexcept {
  struct sigaction now{};
  ::sigaction(SIGCHLD, nullptr, &now);
  return now.sa_handler == SIG_IGN || (now.sa_flags & SA_NOCLDWAIT) != 0;
}

descriptor open_pidfd(env& owner, pid_t pid) noexcept {
  return descriptor(owner, static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

/// Why the child does not run its program. When vfork has returned, it does or has said why; but a process that another thread
/// has forked meanwhile may hold the pipe's other end for as long as it lives, so this waits for a moment only.
std::optional<failed_step> hear_of_failure(int pipe) noexcept {
  constexpr int moment_ms = 1000;
  pollfd said{pipe, POLLIN, 0};
  failed_step why{};
  for (;;) {
    if (::poll(&said, 1, moment_ms) == 0) return std::nullopt;
    const auto got = ::read(pipe, &why, sizeof why);
    if (got == static_cast<ssize_t>(sizeof why)) return why;
    if (got == 0 || errno != EINTR) return std::nullopt;
  }
}

}  // namespace

result<started_process, setup_error> kernel_env::start_process(const program& what, bool linked) {
  if (children_vanish()) {
    return setup_error("cannot start " + what.path +
                       ": this program ignores SIGCHLD; set it to SIG_DFL, and SA_NOCLDWAIT aside");
  }
  started_process started;
  std::array<descriptor, 4> theirs;
  const bool prepared =
      prepare(*this, what.in, theirs[0], started.in) && prepare(*this, what.out, theirs[1], started.out) &&
      prepare(*this, what.err, theirs[2], started.err) &&
      prepare(*this, linked ? stdio::stream : stdio::inherit, theirs[3], started.link.socket);
  int ends[2];
  if (!prepared || ::pipe2(ends, O_CLOEXEC) != 0) return failed(what, errno);
  const descriptor hears(*this, ends[0]);
  descriptor tells(*this, ends[1]);

  std::vector<std::string> arguments = what.arguments;
  arguments.insert(arguments.begin(), what.path);
  std::vector<std::string> environment = environment_of(what, linked);
  const std::vector<char*> argv = pointers_to(arguments);
  const std::vector<char*> envp = pointers_to(environment);
  const plan p{what.path.c_str(),
               argv.data(),
               envp.data(),
               what.folder.empty() ? nullptr : what.folder.c_str(),
               {theirs[0].get(), theirs[1].get(), theirs[2].get(), theirs[3].get()},
               tells.get(),
               ::getpid(),
               linked ? SIGTERM : SIGKILL};
  started.pid = fork_and_run(p);
  if (started.pid < 0) return failed(what, errno);
  tells.reset();
  if (const auto why = hear_of_failure(hears.get())) {
    reap(started.pid);
    return failed(what, *why);
  }
  started.pidfd = open_pidfd(*this, started.pid);
  if (linked) {
    started.link.peer.uid = user_id();
    started.link.peer.pid = started.pid;
    started.link.peer.pidfd = open_pidfd(*this, started.pid);
  }
  if (started.pidfd && (!linked || started.link.peer.pidfd)) return started;
  const int number = errno;
  siginfo_t how{};
  if (::waitid(P_PID, static_cast<id_t>(started.pid), &how, WEXITED | WNOHANG | WNOWAIT) ==
      0) {  // still ours
    ::kill(-started.pid, SIGKILL);
    ::kill(started.pid, SIGKILL);
    reap(started.pid);
  }
  return failed(what, number);
}

bool kernel_env::end_process(const started_process& which, bool at_once) noexcept {
  const int signal = at_once ? SIGKILL : SIGTERM;
  // Until it is reaped its number is its own, and its group's, which it may have left.
  if (::syscall(SYS_pidfd_send_signal, which.pidfd.get(), 0, nullptr, 0) != 0) return errno != EPERM;
  const bool leads = ::kill(-which.pid, signal) == 0 && ::getpgid(which.pid) == which.pid;
  return leads || ::syscall(SYS_pidfd_send_signal, which.pidfd.get(), signal, nullptr, 0) == 0 ||
         errno != EPERM;
}

std::optional<exit_status> kernel_env::reap_process(const started_process& which) noexcept {
  siginfo_t how{};
  const auto pid = static_cast<id_t>(which.pid);
  if (::waitid(P_PID, pid, &how, WEXITED | WNOHANG | WNOWAIT) != 0) return exit_status{-1, 0};
  if (how.si_pid == 0) return std::nullopt;
  ::kill(-which.pid, SIGKILL);
  while (::waitid(P_PID, pid, &how, WEXITED) != 0 && errno == EINTR) {
  }
  return how.si_code == CLD_EXITED ? exit_status{how.si_status, 0} : exit_status{0, how.si_status};
}

result<inherited_link, setup_error> kernel_env::take_inherited_link() {
  inherited_link link;
  const char* const value = ::getenv(link_variable);
  if (value == nullptr) return link;
  const std::string text = value;
  ::unsetenv(link_variable);

  int fd = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), fd);
  int family = 0;
  socklen_t size = sizeof family;
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  if (!whole || ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0 || family != AF_UNIX) {
    return setup_error(
        std::string(link_variable) + "=" + text +
        ": that is no inherited local socket; unset it, troupe sets it for the processes that it starts");
  }
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  link.socket = descriptor(*this, fd);
  return link;
}

}  // namespace troupe::detail
