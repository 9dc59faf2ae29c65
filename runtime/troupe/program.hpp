// What is started as a child process, and how it ended. Plain values; troupe::process (process.hpp) runs them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

/// Where a standard stream of a child process leads.
enum class stdio : std::uint8_t {
  null,     // /dev/null
  inherit,  // where this process's own leads
  stream,  // to a byte_stream of whoever started it. To the child it is a Unix socket: it reads and writes it as it
           // would a pipe, but cannot open it anew by a name as /dev/stdout
};

/// A program to be run as a child process. It leads a process group of its own, so what is typed at a terminal
/// (Ctrl-C) reaches it only by way of whoever started it, and it cannot read from there.
struct program {
  std::string path;                           // without a slash it is looked for where PATH says
  std::vector<std::string> arguments = {};    // after its own name
  std::vector<std::string> environment = {};  // "NAME=value": beside, or in place of, this process's own
  std::string folder = {};                    // to run in; empty: this process's
  stdio in = stdio::null;
  stdio out = stdio::inherit;
  stdio err = stdio::inherit;
  std::chrono::nanoseconds grace =
      std::chrono::seconds(3);  // from being asked to end (SIGTERM) to being killed
};

/// How a process ended.
struct exit_status {
  int code =
      0;  // what it returned, if no signal ended it; -1: somebody else in this process has waited for it
  int signal = 0;  // 0: none

  bool success() const noexcept { return code == 0 && signal == 0; }
  /// "exit status 3", "killed by SIGSEGV".
  std::string text() const;
  bool operator==(const exit_status&) const = default;
};

}  // namespace troupe
