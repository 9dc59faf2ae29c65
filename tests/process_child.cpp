// A program that the tests of processes start. Its first argument says what it does; without one it is a program of
// troupe::run that publishes a service (process_child.hpp).
#include "process_child.hpp"

#include "process_load.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include <troupe/troupe.hpp>

namespace {

using namespace std::chrono_literals;

void say(const std::string& line) { std::cout << line << std::endl; }

/// Without a core file, and whatever a sanitizer makes of it.
int raise_for_good(int number) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(number, SIG_DFL);
  return ::raise(number);
}

int echo() {
  for (std::string line; std::getline(std::cin, line);) say("<" + line + ">");
  return 0;
}

int list_descriptors() {
  DIR* const folder = ::opendir("/proc/self/fd");
  std::string all;
  for (const dirent* d = ::readdir(folder); d != nullptr; d = ::readdir(folder)) {
    if (d->d_name[0] != '.' && std::atoi(d->d_name) != ::dirfd(folder)) all += std::string(d->d_name) + " ";
  }
  ::closedir(folder);
  say(all);
  return 0;
}

int list_signals() {
  sigset_t blocked;
  ::sigprocmask(SIG_BLOCK, nullptr, &blocked);
  struct sigaction pipe{};
  ::sigaction(SIGPIPE, nullptr, &pipe);
  say(std::string(sigismember(&blocked, SIGTERM) != 0 ? "blocked" : "free") +
      (pipe.sa_handler == SIG_DFL ? " default" : " changed"));
  return 0;
}

[[noreturn]] void wait_for_a_signal() {
  say("ready");
  for (;;) ::pause();
}

[[noreturn]] void leave_a_child() {
  const pid_t left = ::fork();
  while (left == 0) ::pause();
  say(std::to_string(left));
  ::_exit(0);
}

[[noreturn]] void scribble() {
  ::signal(SIGPIPE, SIG_IGN);
  const int link = std::atoi(std::getenv("TROUPE_LINK"));
  const std::string rubbish(100'000, 'x');
  while (::write(link, rubbish.data(), rubbish.size()) > 0) {
  }
  for (;;) ::pause();
}

struct counts_when_given_up {
  explicit counts_when_given_up(std::int64_t& n) : count(n) {}
  counts_when_given_up(const counts_when_given_up&) = delete;
  counts_when_given_up& operator=(const counts_when_given_up&) = delete;
  ~counts_when_given_up() { ++count; }
  std::int64_t& count;
};

troupe::actor run_child(troupe::self<process_child::service> me) {
  using namespace process_child;
  std::int64_t numbers = 0;
  std::int64_t lost = 0;
  (void)co_await me.serve(
      troupe::interleave(100), [](const twice& t) { return 2 * t.of; },
      [&](const note& n) { numbers = 10 * numbers + n.number; }, [&](noted) { return numbers; },
      [](who) { return static_cast<std::int32_t>(::getpid()); },
      [&](hold) -> troupe::task<std::int64_t> {
        const counts_when_given_up counting(lost);
        co_await me.sleep(1h);
        co_return 0;
      },
      [&](given_up) { return lost; },
      [](leaks) {
        const int flags = ::fcntl(3, F_GETFD);
        return std::getenv("TROUPE_LINK") != nullptr || (flags >= 0 && (flags & FD_CLOEXEC) == 0);
      },
      [](crash) { raise_for_good(SIGSEGV); }, [&](retire) { throw std::runtime_error("retired"); });
}

troupe::task<int> serve(troupe::node& node) {
  const auto child = node.spawn(run_child);
  const auto published = co_await node.publish(process_child::name, child);
  if (!published) co_return 3;
  co_await troupe::sleep_operation(1h);
  co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string does = argc > 1 ? argv[1] : "";
  const int number = argc > 2 ? std::atoi(argv[2]) : 0;
  if (does == "echo") return echo();
  if (does == "exit") return number;
  if (does == "raise") return raise_for_good(number);
  if (does == "descriptors") return list_descriptors();
  if (does == "signals") return list_signals();
  if (does == "wait") wait_for_a_signal();
  if (does == "stubborn") {
    ::signal(SIGTERM, SIG_IGN);
    wait_for_a_signal();
  }
  if (does == "leave") leave_a_child();
  if (does == "scribble") scribble();
  if (does == "load") return process_load::run(argc, argv);
  if (does == "environment") {
    const char* const value = std::getenv(argv[2]);
    char folder[4096];
    say(std::string(value != nullptr ? value : "nothing") + " in " + ::getcwd(folder, sizeof folder));
    return 0;
  }
  return troupe::run(argc, argv, serve);
}
