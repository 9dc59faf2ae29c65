#include "stream_listener.hpp"

#include <troupe/assert.hpp>

namespace troupe::detail {

void listener_core::wait_to_accept(accept_operation& acceptor) {
  TROUPE_ASSERT(acceptor_ == nullptr, "one coroutine at a time accepts from a listener");
  acceptor_ = &acceptor;
  accept_more();
}

void listener_core::give_up(accept_operation& acceptor) noexcept {
  if (acceptor_ == &acceptor) acceptor_ = nullptr;
}

void listener_core::accept_more() noexcept {
  if (acceptor_ != nullptr && !inward.in_flight && !pause_.armed()) io().accept(inward, fd());
}

void listener_core::inward_done(std::int32_t result) noexcept {
  if (result < 0) {
    if (is_closed()) return;
    trouble_.failed(url_, -result);
    return home().timers().arm(pause_, home().now() + accept_trouble::pause);
  }
  descriptor connection(home().world(), result);
  if (is_closed()) return;
  trouble_.over();
  arrived_ = std::move(connection);
  if (acceptor_ != nullptr) end_accept();
}

void listener_core::closed() noexcept {
  home().timers().cancel(pause_);
  arrived_.reset();
  if (acceptor_ != nullptr) end_accept();
}

}  // namespace troupe::detail
