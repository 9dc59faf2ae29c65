// What the watchdog of a node has found: logged, counted, and the last of it kept. Any thread; one mutex.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace troupe::detail {

class alarms {
 public:
  static constexpr std::size_t kept = 16;
  static constexpr std::size_t most_seen = 256;

  explicit alarms(std::string node) : node_(std::move(node)) {}

  void raise(std::string line);
  /// False if the same was reported before. It remembers the last most_seen.
  bool first_report(std::vector<std::uint64_t> of);
  std::vector<std::string> last() const;
  std::uint64_t total() const;

 private:
  const std::string node_;
  mutable std::mutex guard_;
  std::deque<std::string> last_;
  std::uint64_t total_ = 0;
  std::deque<std::vector<std::uint64_t>> seen_;
};

}  // namespace troupe::detail
