// The other end of the door: what `nc 127.0.0.1 PORT` does, for the demo and the tests. Plain POSIX: it
// stands for the person, not for the program. For one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <troupe/env.hpp>
#include <troupe/result.hpp>

namespace chat {

class terminal {
 public:
  /// `narrow`: as little buffered on the way as possible, so that not reading soon shows at the other end.
  static troupe::result<terminal, troupe::setup_error> dial(std::uint16_t port, bool narrow = false);
  terminal(terminal&& o) noexcept;
  terminal& operator=(terminal&& o) noexcept;
  ~terminal();

  int fd() const noexcept { return fd_; }
  /// Sends `line` and LF; false when the connection is gone.
  bool type(std::string_view line);
  /// Takes in what has arrived, waiting for something at most so long; false at the end of the connection.
  bool receive(troupe::duration at_most);
  /// The next complete line of what was received, without its LF.
  std::optional<std::string> line();
  /// The next line that contains `part` (lines before it are dropped), or nothing within that time.
  std::optional<std::string> find(std::string_view part, troupe::duration within);

 private:
  explicit terminal(int fd) noexcept : fd_(fd) {}

  int fd_;
  std::string received_;
};

}  // namespace chat
