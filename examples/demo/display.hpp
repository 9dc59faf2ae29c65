// What the launcher shows: lines that stay, and one line of live figures below them that is refreshed in place on a
// terminal. Off a terminal the figures are plain lines, at most two a second.
#pragma once

#include <string>
#include <troupe/env.hpp>

namespace demo {

class display {
 public:
  display();
  ~display() { clear(); }
  display(const display&) = delete;
  display& operator=(const display&) = delete;

  void line(const std::string& text);
  void live(const std::string& text);

 private:
  void clear();

  bool terminal_;
  bool shown_ = false;  // a live line is on the terminal
  troupe::instant next_{};
};

}  // namespace demo
