#include <troupe/detail/strand.hpp>

namespace troupe::detail {

operation* strand::find(std::uint64_t ticket) const noexcept {
  for (operation* op = waiting_.head; op != nullptr; op = op->next_) {
    if (op->ticket_ == ticket) return op;
  }
  return nullptr;
}

}  // namespace troupe::detail
