// The processes of a demo: started beside the launcher, heard line by line, and never left behind.
//
//   demo::processes running(given.verbose);
//   auto pid = running.start("room", "chat_room", {"--node", "room"});
//   for (;;) {
//     const demo::event e = running.wait(5s);
//     if (e.what == demo::event::kind::line && e.from == "room") ...
//   }
//
// Each process runs a program from the launcher's own folder, in the launcher's process group (so Ctrl-C on a terminal
// reaches it, too), and is killed by the kernel when the launcher dies. Its standard output arrives here as lines; what
// it writes to standard error is kept to explain a failure, and shown at once when verbose. The destructor ends them
// all. The first `processes` (or interrupted()) blocks SIGINT, SIGTERM, SIGHUP and SIGPIPE for the launcher: wait() reports the first
// three, writing to a closed pipe just fails. For one thread.
#pragma once

#include <sys/types.h>

#include <deque>
#include <memory>
#include <string>
#include <troupe/env.hpp>
#include <troupe/result.hpp>
#include <vector>

namespace demo {

struct event {
  enum class kind : std::uint8_t {
    line,         // `from` wrote `text`
    ended,        // `from` is gone; `text` says how, `code` is its exit code or 128 + the signal
    readable,     // `fd`, one of those passed to wait
    interrupted,  // the user wants to end
    timeout,
  };
  kind what = kind::timeout;
  std::string from;
  std::string text;
  int code = 0;
  int fd = -1;
};

/// Holds SIGINT, SIGTERM and SIGHUP back from now on, and says whether one has come: for work between processes.
bool interrupted();

class processes {
 public:
  explicit processes(bool verbose);
  ~processes();
  processes(const processes&) = delete;
  processes& operator=(const processes&) = delete;

  /// `program` is a file beside the launcher; `name` is how events call the process, unique among those running. `space` is
  /// the network namespace that it runs in (host_network.hpp); -1: the launcher's.
  troupe::result<pid_t, troupe::setup_error> start(std::string name, const std::string& program,
                                                   std::vector<std::string> arguments, int space = -1);

  /// For a supervisor: starts a process that has ended once more, after a pause that doubles each time, in which the
  /// kernel lets go of what the dead one held (its port, if it was io_uring that listened). The error also says so when that
  /// was done `most_restarts` times already, for whichever process.
  troupe::result<pid_t, troupe::setup_error> start_again(std::string name, const std::string& program,
                                                         std::vector<std::string> arguments);
  static constexpr unsigned most_restarts = 3;

  /// The next thing that happens, or `timeout`. Lines of a process come before its end.
  event wait(troupe::duration at_most, const std::vector<int>& also = {});

  /// Signals it, if it runs.
  void signal(const std::string& name, int number);
  /// SIGTERM, then SIGKILL after `patience`; its last lines are dropped. Its exit code, or 128 + the signal that ended it
  /// (a program of troupe::run ends with 128 + SIGTERM by itself).
  int stop(const std::string& name, troupe::duration patience = std::chrono::seconds(3));

  /// All that run, with the destructor's patience; nothing is to be heard of them any more.
  void end_all();

  /// The last lines that the process wrote to standard error (also after its end).
  std::string complaints(const std::string& name) const;

 private:
  struct child;
  child* find(const std::string& name) const;
  void collect(child& from);
  void listen(std::vector<int> also, int milliseconds);
  void reap(child& from);

  bool verbose_;
  int signals_ = -1;
  unsigned restarts_ = 0;
  std::vector<std::unique_ptr<child>> children_;
  std::deque<event> pending_;
};

}  // namespace demo
