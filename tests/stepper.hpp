// A thread of a child process that is single-stepped by the test, which kills it with SIGKILL after any number of instructions.
//
// The thread calls be_traced() and stop_here(), goes through what is to be cut off, and calls stop_here() again. The test calls
// all else, from the thread that has forked the child: to the kernel that is the tracer.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

namespace stepping {

// In the child.

/// This thread can be stepped from now on. False: not here.
inline bool be_traced() { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0; }
/// Where stepping begins, and where it ends.
inline void stop_here() { ::raise(SIGSTOP); }

// In the test.

/// Whether a child may be traced here; says so if not.
inline bool possible() {
  const pid_t child = ::fork();
  if (child == 0) {
    if (be_traced()) stop_here();
    ::_exit(0);
  }
  int status = 0;
  const bool may = ::waitpid(child, &status, 0) == child && WIFSTOPPED(status);
  if (may) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  } else {
    std::printf(
        "SKIPPED: this process may not trace its children (ptrace), so none is killed after each "
        "instruction\n");
  }
  return may;
}

/// Keeps this thread, and the children that it forks meanwhile, on one processor: a step is a switch between the two, which takes
/// several times as long from one processor to another.
class on_one_processor {
 public:
  on_one_processor() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &here);
    ::sched_setaffinity(0, sizeof here, &here);
  }
  on_one_processor(const on_one_processor&) = delete;
  on_one_processor& operator=(const on_one_processor&) = delete;
  ~on_one_processor() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_;
};

class stepper {
 public:
  /// Of `thread` of `process`, which is traced; waits until it stops.
  stepper(pid_t process, pid_t thread) : process_(process), thread_(thread) { stopped_for(SIGSTOP); }
  stepper(const stepper&) = delete;
  stepper& operator=(const stepper&) = delete;
  ~stepper() { kill(); }

  /// Goes on for so many instructions. False: it has stopped again.
  bool step(std::uint64_t instructions) {
    for (; instructions != 0; --instructions) {
      if (::ptrace(PTRACE_SINGLESTEP, thread_, nullptr, nullptr) != 0 || !stopped_for(SIGTRAP)) return false;
      ++taken_;
    }
    return true;
  }
  std::uint64_t taken() const noexcept { return taken_; }

  /// Where it stands. What is left of it are its descriptors' ends and its memory.
  void kill() {
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    while (::waitpid(thread_, nullptr, __WALL) == thread_ &&
           thread_ != process_) {  // a traced thread is its tracer's to reap
    }
    process_ = -1;
  }

 private:
  bool stopped_for(int signal) {
    int status = 0;
    return ::waitpid(thread_, &status, __WALL) == thread_ && WIFSTOPPED(status) && WSTOPSIG(status) == signal;
  }

  pid_t process_;
  pid_t thread_;
  std::uint64_t taken_ = 0;
};

}  // namespace stepping
