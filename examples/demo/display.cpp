// What the launcher shows; see display.hpp.
#include "display.hpp"

#include <unistd.h>

#include <cstdio>

namespace demo {

namespace {
constexpr troupe::duration on_terminal = std::chrono::milliseconds(50);
constexpr troupe::duration in_a_log = std::chrono::milliseconds(500);
}  // namespace

display::display() : terminal_(::isatty(STDOUT_FILENO) == 1) {}

void display::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stdout);
  shown_ = false;
}

void display::line(const std::string& text) {
  clear();
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

void display::live(const std::string& text) {
  const troupe::instant now = troupe::os_env().now();
  if (now < next_) return;
  next_ = now + (terminal_ ? on_terminal : in_a_log);
  if (!terminal_) return line(text);
  clear();
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  shown_ = true;
}

}  // namespace demo
