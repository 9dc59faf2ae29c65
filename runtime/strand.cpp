#include <troupe/detail/strand.hpp>

namespace troupe::detail {

operation* strand::find(std::uint64_t ticket) const noexcept {
  for (operation* op = waiting_.head; op != nullptr; op = op->next_) {
    if (op->ticket_ == ticket) return op;
  }
  return nullptr;
}

void strand::resume_next() {
  operation& op = *ready_.head;
  const auto waiter = op.waiter_;
  work_deadline = op.deadline_;
  role = op.role_;
  home_->resumed_at.store(op.at_, std::memory_order_relaxed);
  op.unlink();
  home_->resume(waiter);
  work_deadline = {};
  role = wait_role::alone;
}

}  // namespace troupe::detail
