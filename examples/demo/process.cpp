// The processes of a demo; see process.hpp.
#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace demo {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t longest_line = 64 * 1024;
constexpr std::size_t most_pending = 1024;   // events: then the pipes fill up, and who writes waits
constexpr std::size_t complaints_kept = 20;  // lines
constexpr int cannot_execute = 127;
constexpr troupe::duration patience_at_the_end = 2s;
constexpr troupe::duration first_pause = 50ms;  // before a restart

troupe::setup_error os_error(const std::string& action) {
  return troupe::setup_error(action + ": " + std::generic_category().message(errno));
}

sigset_t blocked_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) sigaddset(&set, number);
  return set;
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) {
    return "was killed by signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) +
           ")";
  }
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

// The reading end of a pipe, and the beginning of a line that has not ended yet.
class line_pipe {
 public:
  line_pipe() = default;
  line_pipe(const line_pipe&) = delete;
  line_pipe& operator=(const line_pipe&) = delete;
  ~line_pipe() { close(); }

  void own(int fd) { fd_ = fd; }
  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }

  template <class F>
  void read(F on_line) {
    std::array<char, 4096> block;
    const ssize_t size = ::read(fd_, block.data(), block.size());
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (size > 0) {
      for (const char c : std::string_view(block.data(), static_cast<std::size_t>(size))) {
        if (c == '\n' || line_.size() == longest_line) on_line(std::exchange(line_, {}));
        if (c != '\n') line_ += c;
      }
      return;
    }
    if (!line_.empty()) on_line(std::exchange(line_, {}));
    close();
  }

 private:
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  int fd_ = -1;
  std::string line_;
};

// In the new process: nothing but calls that are safe after fork.
[[noreturn]] void execute(pid_t launcher, int space, int out, int err, char* const* command) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != launcher) ::_exit(cannot_execute);  // it died before the line above
  const sigset_t set = blocked_signals();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  if (space >= 0 && ::setns(space, CLONE_NEWNET) != 0) ::_exit(cannot_execute);
  ::execv(command[0], command);
  ::_exit(cannot_execute);
}

}  // namespace

struct processes::child {
  std::string name;
  pid_t pid = -1;  // -1: gone
  line_pipe out;
  line_pipe err;
  std::deque<std::string> complaints;
  int code = 0;  // once it is gone

  void kill() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = -1;
    code = 128 + SIGKILL;
  }
};

bool interrupted() {
  const sigset_t blocked = blocked_signals();
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  sigset_t pending;
  ::sigpending(&pending);
  return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
         sigismember(&pending, SIGHUP) == 1;
}

processes::processes(bool verbose) : verbose_(verbose) {
  interrupted();
  sigset_t heard = blocked_signals();
  sigdelset(&heard, SIGPIPE);
  signals_ = ::signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
}

processes::~processes() {
  end_all();
  if (signals_ >= 0) ::close(signals_);
}

void processes::end_all() {
  for (const auto& c : children_) signal(c->name, SIGTERM);
  const troupe::instant until = troupe::os_env().now() + patience_at_the_end;
  const auto runs = [](const auto& c) { return c->pid >= 0; };
  while (std::any_of(children_.begin(), children_.end(), runs) && troupe::os_env().now() < until) {
    listen({}, 10);
    pending_.clear();
  }
  for (const auto& c : children_) {
    if (runs(c)) c->kill();
  }
}

troupe::result<pid_t, troupe::setup_error> processes::start(std::string name, const std::string& program,
                                                            std::vector<std::string> arguments, int space) {
  std::error_code unknown;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", unknown);
  const std::string path = (self.parent_path() / program).string();
  if (unknown || ::access(path.c_str(), X_OK) != 0) {
    return troupe::setup_error("cannot run " + path +
                               ": no such program beside the launcher; build it first");
  }
  std::array<int, 2> out{-1, -1};
  std::array<int, 2> err{-1, -1};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) return os_error("cannot make a pipe for " + name);
  auto born = std::make_unique<child>();
  born->name = std::move(name);
  born->out.own(out[0]);
  if (::pipe2(err.data(), O_CLOEXEC) == 0) born->err.own(err[0]);
  std::vector<char*> command{const_cast<char*>(path.c_str())};
  for (std::string& a : arguments) command.push_back(a.data());
  command.push_back(nullptr);
  const pid_t launcher = ::getpid();
  const pid_t pid = err[1] >= 0 ? ::fork() : -1;
  if (pid == 0) execute(launcher, space, out[1], err[1], command.data());
  const int failure = errno;
  ::close(out[1]);
  if (err[1] >= 0) ::close(err[1]);
  errno = failure;
  if (pid < 0) return os_error("cannot start " + path);
  born->pid = pid;
  for (const line_pipe* p : {&born->out, &born->err}) ::fcntl(p->fd(), F_SETFL, O_NONBLOCK);
  std::erase_if(children_, [&](const auto& c) { return c->pid < 0 && c->name == born->name; });
  children_.push_back(std::move(born));
  return pid;
}

troupe::result<pid_t, troupe::setup_error> processes::start_again(std::string name,
                                                                  const std::string& program,
                                                                  std::vector<std::string> arguments) {
  if (restarts_ == most_restarts) {
    return troupe::setup_error("processes were started anew " + std::to_string(most_restarts) +
                               " times already");
  }
  const troupe::instant begin = troupe::os_env().now() + first_pause * (1 << restarts_++);
  while (troupe::os_env().now() < begin) listen({}, 10);
  return start(std::move(name), program, std::move(arguments));
}

event processes::wait(troupe::duration at_most, const std::vector<int>& also) {
  const troupe::instant until = troupe::os_env().now() + at_most;
  for (;;) {
    const auto left = until - troupe::os_env().now();
    const auto milliseconds =
        std::chrono::ceil<std::chrono::milliseconds>(std::clamp<troupe::duration>(left, 0s, 1h));
    // What has happened already is reported, but never before an interruption.
    listen(also, pending_.empty() ? static_cast<int>(milliseconds.count()) : 0);
    if (!pending_.empty()) {
      event next = std::move(pending_.front());
      pending_.pop_front();
      return next;
    }
    if (left <= 0s) return {};
  }
}

// Waits for something to happen once, and appends all of it to pending_.
void processes::listen(std::vector<int> also, int milliseconds) {
  std::vector<pollfd> watched{{signals_, POLLIN, 0}};
  for (const int fd : also) watched.push_back({fd, POLLIN, 0});
  bool leaving = false;  // a child closed its output and is about to be gone
  for (const auto& c : children_) {
    if (c->out.open()) watched.push_back({c->out.fd(), POLLIN, 0});
    if (c->err.open()) watched.push_back({c->err.fd(), POLLIN, 0});
    leaving = leaving || (c->pid >= 0 && !c->out.open() && !c->err.open());
  }
  if (leaving) milliseconds = std::min(milliseconds, 1);
  if (::poll(watched.data(), watched.size(), milliseconds) < 0) return;

  signalfd_siginfo info;
  if (::read(signals_, &info, sizeof info) == sizeof info) {
    event e;
    e.what = event::kind::interrupted;
    pending_.push_front(std::move(e));
  }
  for (std::size_t i = 1; i <= also.size(); ++i) {
    const bool known =
        std::any_of(pending_.begin(), pending_.end(), [&](const event& e) { return e.fd == also[i - 1]; });
    if (watched[i].revents == 0 || known) continue;
    event e;
    e.what = event::kind::readable;
    e.fd = also[i - 1];
    pending_.push_back(std::move(e));
  }
  for (const auto& c : children_) {
    if (pending_.size() < most_pending) collect(*c);
  }
}

void processes::collect(child& from) {
  if (from.out.open()) {
    from.out.read([&](std::string text) {
      event e;
      e.what = event::kind::line;
      e.from = from.name;
      e.text = std::move(text);
      pending_.push_back(std::move(e));
    });
  }
  if (from.err.open()) {
    from.err.read([&](std::string text) {
      if (verbose_) std::fprintf(stderr, "%s: %s\n", from.name.c_str(), text.c_str());
      from.complaints.push_back(std::move(text));
      if (from.complaints.size() > complaints_kept) from.complaints.pop_front();
    });
  }
  if (from.pid >= 0 && !from.out.open() && !from.err.open()) reap(from);
}

void processes::reap(child& from) {
  int status = 0;
  if (::waitpid(from.pid, &status, WNOHANG) != from.pid) return;
  event e;
  e.what = event::kind::ended;
  e.from = from.name;
  e.text = describe(status);
  e.code = from.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  pending_.push_back(std::move(e));
  from.pid = -1;
}

processes::child* processes::find(const std::string& name) const {
  const auto at =
      std::find_if(children_.rbegin(), children_.rend(), [&](const auto& c) { return c->name == name; });
  return at == children_.rend() ? nullptr : at->get();
}

void processes::signal(const std::string& name, int number) {
  const child* const c = find(name);
  if (c != nullptr && c->pid >= 0) ::kill(c->pid, number);
}

int processes::stop(const std::string& name, troupe::duration patience) {
  child* const c = find(name);
  if (c == nullptr) return 0;
  signal(name, SIGTERM);
  const auto is_its = [&](const event& e) { return e.from == name; };
  const troupe::instant until = troupe::os_env().now() + patience;
  while (c->pid >= 0 && troupe::os_env().now() < until) {
    listen({}, 10);
    std::erase_if(pending_, is_its);
  }
  if (c->pid >= 0) c->kill();
  std::erase_if(pending_, is_its);
  return c->code;
}

std::string processes::complaints(const std::string& name) const {
  std::string text;
  if (const child* const c = find(name)) {
    for (const std::string& line : c->complaints) text += line + '\n';
  }
  return text;
}

}  // namespace demo
