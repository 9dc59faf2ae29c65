#include <troupe/receive.hpp>

#include "delivery.hpp"

namespace troupe::detail {

void receive_base::await_suspend_in_mailbox(std::coroutine_handle<> waiter) {
  suspend(waiter);
  static_cast<actor_core*>(owner())->start_receiving(*this);
}

void receive_base::discard_handling() noexcept {
  if (handler_) std::exchange(handler_, nullptr).destroy();
  if (handling_ != nullptr) discard(std::exchange(handling_, nullptr), errc::no_reply);
}

}  // namespace troupe::detail
