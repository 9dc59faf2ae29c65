// An actor that has not ended by the deadline of its stop is named, and how it stands.
#include <troupe/log.hpp>

#include "control.hpp"
#include "node_core.hpp"

namespace troupe::detail {

std::string actor_core::label() const {
  return ties_ && !ties_->name.empty() ? ties_->name : "#" + std::to_string(slot_);
}

void actor_core::overdue() noexcept {
  node_->count_overdue();
  node_->report_overdue(node_->path_of(*this) + " did not end by the deadline of its stop and is killed: " +
                        std::to_string(walk()) + " messages in its mailbox, " + doing());
}

void node_core::report_overdue(std::string line) {
  constexpr std::size_t most = 64;
  log(log_level::warning, identity_.name + ": actor " + line);
  const std::lock_guard lock(dead_guard_);
  if (overdue_lines_.size() >= most) overdue_lines_.erase(overdue_lines_.begin());
  overdue_lines_.push_back(std::move(line));
}

/// What other stops have had to kill is not the node's stop's.
void node_core::forget_overdue() {
  const std::lock_guard lock(dead_guard_);
  overdue_.store(0, std::memory_order_relaxed);
  overdue_lines_.clear();
}

std::vector<std::string> node_core::overdue() {
  const std::lock_guard lock(dead_guard_);
  return overdue_lines_;
}

}  // namespace troupe::detail
