// A case of two processes: this one measures, the other, forked off it, is the far side.
#pragma once

#include <string>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_case.hpp"

namespace bench {

/// The far side; it is ended with this object, or with this process, whatever ends that.
class far_side {
 public:
  /// Runs far(tell) in another process, where tell(line) says one line to this one, and waits for that line. Before this
  /// process has any threads.
  template <class F>
  explicit far_side(F far) {
    int ends[2];
    check(pipe(ends) == 0, "no pipe");
    const pid_t near = getpid();
    process_ = fork();
    check(process_ >= 0, "cannot fork");
    if (process_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      check(getppid() == near, "the near side is gone");
      close(ends[0]);
      far([to = ends[1]](std::string line) {
        line += '\n';
        check(write(to, line.data(), line.size()) > 0, "the near side is gone");
      });
      for (;;) pause();
    }
    close(ends[1]);
    for (char c = 0; read(ends[0], &c, 1) == 1 && c != '\n';) told_ += c;
    close(ends[0]);
  }
  far_side(const far_side&) = delete;
  far_side& operator=(const far_side&) = delete;
  ~far_side() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }

  const std::string& told() const { return told_; }

 private:
  pid_t process_ = -1;
  std::string told_;
};

}  // namespace bench
