#include "stream_listener.hpp"

#include <troupe/assert.hpp>
#include <troupe/log.hpp>

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
    if (!is_closed()) pause(-result);
    return;
  }
  descriptor connection(home().world(), result);
  if (is_closed()) return;
  troubled_ = false;
  arrived_ = std::move(connection);
  if (acceptor_ != nullptr) end_accept();
}

void listener_core::pause(std::int32_t number) noexcept {
  constexpr duration a_moment = std::chrono::milliseconds(100);
  if (!std::exchange(troubled_, true)) {
    log(log_level::warning,
        url_ + ": cannot accept: " + error(errc::io_failed, number).text() +
            "; trying again every 100 ms. Out of descriptors? Raise the limit (ulimit -n)");
  }
  home().timers().arm(pause_, home().now() + a_moment);
}

void listener_core::closed() noexcept {
  home().timers().cancel(pause_);
  arrived_.reset();
  if (acceptor_ != nullptr) end_accept();
}

}  // namespace troupe::detail
