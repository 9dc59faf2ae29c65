#include "seed_pool.hpp"

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace seeds {
namespace {

/// What a child says of a seed: once when it begins, once when it is over.
struct report {
  std::uint64_t seed;
  std::uint64_t over;  // 0 or 1
  std::uint64_t nodes, messages, trace, resumed, moved, fell;
  troupe::sim::fault_counts injected;
  std::uint64_t violations;  // bytes that follow
};

/// Of the processor's time, for a seed that goes on for ever without letting its virtual time pass; most take some 10 ms.
constexpr unsigned longest_seed = 120;

/// SIGXCPU ends the process that goes on for longer.
void limit_processor_time() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto so_far = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
  const rlimit most{so_far + longest_seed, RLIM_INFINITY};
  ::setrlimit(RLIMIT_CPU, &most);
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(3);
}

void write_all(int to, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size != 0) {
    const ssize_t n = ::write(to, at, size);
    if (n <= 0) fail("seeds: cannot write to the parent");
    at += n;
    size -= static_cast<std::size_t>(n);
  }
}

bool read_all(int from, void* data, std::size_t size) {
  char* at = static_cast<char*>(data);
  while (size != 0) {
    const ssize_t n = ::read(from, at, size);
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

/// A process that runs every `stride`-th seed from `next` on.
class child {
 public:
  child(std::uint64_t first, std::uint64_t e, std::uint64_t s, troupe::sim::fault_set a, bool l)
      : next_(first), end_(e), stride_(s), allowed_(a), log_(l) {
    start();
  }
  int fd() const noexcept { return from_; }
  /// After poll() said that there is something. False: it has run its last seed.
  bool take(const std::function<void(std::uint64_t, const outcome&)>& done) {
    report r{};
    if (!read_all(from_, &r, sizeof r)) return ended(done);
    next_ = r.seed + stride_;
    running_ = r.over == 0;
    if (running_) return true;
    outcome o{r.nodes, r.messages, r.trace,    r.resumed,
              r.moved, r.fell,     r.injected, std::string(r.violations, '\0')};
    if (!read_all(from_, o.violations.data(), o.violations.size())) fail("seeds: a child broke off");
    done(r.seed, o);
    return true;
  }

 private:
  void start() {
    int ends[2];
    if (::pipe(ends) != 0) fail("seeds: cannot make a pipe");
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) fail("seeds: cannot fork");
    if (pid_ == 0) {
      ::close(ends[0]);
      run(ends[1]);
    }
    ::close(ends[1]);
    from_ = ends[0];
  }
  [[noreturn]] void run(int to) const {
    for (std::uint64_t seed = next_; seed < end_; seed += stride_) {
      report r{};
      r.seed = seed;
      write_all(to, &r, sizeof r);
      limit_processor_time();
      const outcome o = run_seed(seed, allowed_, log_);
      r = {seed,      1,       o.nodes, o.messages, o.trace,
           o.resumed, o.moved, o.fell,  o.injected, o.violations.size()};
      write_all(to, &r, sizeof r);
      write_all(to, o.violations.data(), o.violations.size());
    }
    std::_Exit(0);
  }
  bool ended(const std::function<void(std::uint64_t, const outcome&)>& done) {
    ::close(from_);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    if (!running_) return false;
    running_ = false;
    outcome o;
    o.violations = "crash: the process ended with " +
                   (WIFSIGNALED(status) ? std::string("signal ") + ::strsignal(WTERMSIG(status))
                                        : "exit code " + std::to_string(WEXITSTATUS(status))) +
                   " (its last words are above)\n";
    done(next_ - stride_, o);
    if (next_ >= end_) return false;
    start();
    return true;
  }

  std::uint64_t next_, end_, stride_;
  troupe::sim::fault_set allowed_;
  bool log_;
  bool running_ = false;
  pid_t pid_ = -1;
  int from_ = -1;
};

}  // namespace

void run_seeds(std::uint64_t first, std::uint64_t count, troupe::sim::fault_set allowed, bool log,
               const std::function<void(std::uint64_t, const outcome&)>& done) {
  const std::uint64_t jobs =
      std::min<std::uint64_t>(count, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<child> children;
  for (std::uint64_t i = 0; i < jobs; ++i)
    children.emplace_back(first + i, first + count, jobs, allowed, log);
  while (!children.empty()) {
    std::vector<pollfd> wait;
    for (const child& c : children) wait.push_back({c.fd(), POLLIN, 0});
    if (::poll(wait.data(), wait.size(), -1) < 0) fail("seeds: cannot poll");
    for (std::size_t i = children.size(); i-- > 0;) {
      if (wait[i].revents == 0 || children[i].take(done)) continue;
      children.erase(children.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

outcome run_apart(std::uint64_t seed, troupe::sim::fault_set allowed, bool log) {
  outcome o;
  run_seeds(seed, 1, allowed, log, [&](std::uint64_t, const outcome& one) { o = one; });
  return o;
}

}  // namespace seeds
