// What the tests of actors share: a node that is checked when it ends, a list that actors write and the test reads,
// a gate that holds a worker, objects that are counted, and a helper for deaths.
#pragma once

#include "catch.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <source_location>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <troupe/node.hpp>
#include <troupe/self.hpp>

namespace test {

using namespace std::chrono_literals;
using troupe::actor;
using troupe::errc;
using troupe::ref;
using troupe::result;
using troupe::self;

inline constexpr auto patience = 20s;  // a limit for what takes no time when all is well

/// Looks again and again until `holds()`; false when patience is over.
template <class F>
bool eventually(F holds) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Lines that actors add and the test reads. Thread-safe.
class notes {
 public:
  void add(std::string line) {
    const std::lock_guard lock(guard_);
    lines_.push_back(std::move(line));
    more_.notify_all();
  }
  /// Waits until there are `count` lines.
  std::vector<std::string> wait_for(std::size_t count, std::chrono::seconds at_most = patience) {
    std::unique_lock lock(guard_);
    more_.wait_for(lock, at_most, [&] { return lines_.size() >= count; });
    return lines_;
  }
  std::vector<std::string> all() { return wait_for(0); }

 private:
  std::mutex guard_;
  std::condition_variable more_;
  std::vector<std::string> lines_;
};
using book = std::shared_ptr<notes>;
inline book new_book() { return std::make_shared<notes>(); }
using lines = std::vector<std::string>;

/// For actors: Catch2's assertions are for the test's own thread.
inline void must(bool holds, std::source_location where = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: an actor's expectation failed\n", where.file_name(), where.line());
  std::abort();
}

/// Closed until open(). An actor that waits at it holds its worker.
class gate {
 public:
  void open() {
    const std::lock_guard lock(guard_);
    open_ = true;
    opened_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(guard_);
    return opened_.wait_for(lock, patience, [&] { return open_; });
  }

 private:
  std::mutex guard_;
  std::condition_variable opened_;
  bool open_ = false;
};
using shared_gate = std::shared_ptr<gate>;
inline actor run_until_open(self<troupe::protocol<>>, shared_gate at) {
  must(at->wait());
  co_return;
}

/// Counts the objects that live; frames, messages and replies carry one to be seen.
class tracked {
 public:
  tracked() noexcept { alive.fetch_add(1); }
  tracked(const tracked&) noexcept { alive.fetch_add(1); }
  tracked(tracked&&) noexcept { alive.fetch_add(1); }
  tracked& operator=(const tracked&) noexcept = default;
  tracked& operator=(tracked&&) noexcept = default;
  ~tracked() { alive.fetch_sub(1); }

  static inline std::atomic<int> alive{0};
};

/// A node of its own for one test. finish() stops it and checks what must hold after every test.
class host {
 public:
  explicit host(unsigned workers, troupe::node_options options = {})
      : node_(started(workers, std::move(options))) {
    REQUIRE(node_.has_value());
  }
  troupe::node* operator->() { return &*node_; }
  troupe::node& operator*() { return *node_; }

  void finish(bool in_time = true) {
    CHECK(node_->stop() == in_time);
    check_books();
    CHECK(node_->live_actors() <= 1);
    CHECK(tracked::alive.load() == 0);
  }
  void check_books() {
    const auto books = node_->accounting();
    INFO(books.text());
    CHECK(books.balanced());
    CHECK(books.pending == 0);
  }

 private:
  static result<troupe::node, troupe::setup_error> started(unsigned workers, troupe::node_options options) {
    options.workers = workers;
    return troupe::node::start(std::move(options));
  }
  result<troupe::node, troupe::setup_error> node_;
};

inline troupe::spawn_options on_worker(unsigned worker, std::uint32_t mailbox = 1024) {
  troupe::spawn_options options;
  options.worker = worker;
  options.mailbox = mailbox;
  return options;
}

inline std::string text_of(const result<void>& r) {
  if (r) return "ok";
  return std::string(troupe::to_string(r.error().code));
}

struct death {
  bool aborted = false;
  std::string said;
};

/// Runs `f` in a child process and tells how that ended.
template <class F>
death fate_of(F f) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    std::signal(SIGABRT, SIG_DFL);
    f();
    ::_exit(0);
  }
  ::close(ends[1]);
  death d;
  char buffer[512];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    d.said.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  d.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  return d;
}

}  // namespace test
