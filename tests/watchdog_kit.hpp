// What the tests of the watchdog share: its lines as they are logged, and the time that they took.
#pragma once

#include "actor_support.hpp"

#include <troupe/log.hpp>

namespace test {

/// The node's warnings of the watchdog, while it lives.
class alarm_lines {
 public:
  alarm_lines() {
    troupe::set_log_sink([to = found_](troupe::log_level, std::string_view line) {
      for (const char* const alarm : {": wait cycle: ", ": selective receive ", " has held worker "}) {
        if (line.find(alarm) != line.npos) to->add(std::string(line));
      }
    });
  }
  alarm_lines(const alarm_lines&) = delete;
  alarm_lines& operator=(const alarm_lines&) = delete;
  ~alarm_lines() { troupe::set_log_sink({}); }

  lines wait_for(std::size_t count) const { return found_->wait_for(count); }
  lines all() const { return found_->all(); }

 private:
  book found_ = new_book();
};

class stopwatch {
 public:
  std::chrono::steady_clock::duration elapsed() const { return std::chrono::steady_clock::now() - begun_; }
  void print(const std::string& what) const {
    const std::chrono::duration<double, std::milli> ms = elapsed();
    std::printf("%s after %.1f ms\n", what.c_str(), ms.count());
  }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

inline troupe::spawn_options named(std::string name, unsigned worker, std::uint32_t mailbox = 1024) {
  troupe::spawn_options options = on_worker(worker, mailbox);
  options.name = std::move(name);
  return options;
}

inline troupe::node_options named_node(std::string name) {
  troupe::node_options options;
  options.name = std::move(name);
  return options;
}

}  // namespace test
