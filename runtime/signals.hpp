// What people tell a program from outside: SIGTERM, SIGINT and SIGQUIT as values instead of interruptions.
#pragma once

namespace troupe::detail {

/// SIGQUIT does.
bool asks_for_a_dump(int signal) noexcept;

/// Blocks SIGTERM, SIGINT and SIGQUIT in the calling thread, and so in the threads that it starts afterwards; the
/// destructor restores what was. Make it before the workers start.
class signal_watch {
 public:
  signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;
  ~signal_watch();

  /// Waits for one of the signals (its number), or until the event `fd` is signalled (0).
  int wait(int fd);

 private:
  struct state;
  state* state_;
};

}  // namespace troupe::detail
