#include "alarms.hpp"

#include <algorithm>
#include <utility>

#include <troupe/log.hpp>

namespace troupe::detail {

void alarms::raise(std::string line) {
  log(log_level::warning, node_ + ": " + line);
  const std::lock_guard lock(guard_);
  ++total_;
  if (last_.size() == kept) last_.pop_front();
  last_.push_back(std::move(line));
}

bool alarms::first_report(std::vector<std::uint64_t> of) {
  const std::lock_guard lock(guard_);
  if (std::ranges::find(seen_, of) != seen_.end()) return false;
  if (seen_.size() == most_seen) seen_.pop_front();
  seen_.push_back(std::move(of));
  return true;
}

std::vector<std::string> alarms::last() const {
  const std::lock_guard lock(guard_);
  return {last_.begin(), last_.end()};
}

std::uint64_t alarms::total() const {
  const std::lock_guard lock(guard_);
  return total_;
}

}  // namespace troupe::detail
