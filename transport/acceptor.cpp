#include "acceptor.hpp"

#include <utility>

namespace troupe::detail {

void acceptor::start() {
  if (!stopping_) on_.io().accept(op_, listener_.get());
}

void acceptor::stop() {
  stopping_ = true;
  on_.timers().cancel(pause_);
  if (op_.in_flight) return on_.io().cancel(op_);
  forget();
}

void acceptor::completed(std::int32_t result) {
  if (stopping_) {
    if (result >= 0) descriptor(on_.world(), result).reset();
    return forget();
  }
  if (result >= 0) {
    trouble_.over();
    to_.accepted(descriptor(on_.world(), result));
    return start();
  }
  trouble_.failed(at_.url(), -result);
  on_.timers().arm(pause_, on_.now() + accept_trouble::pause);
}

void acceptor::forget() {
  on_.io().forget(listener_.get());
  listener_.reset();
  to_.stopped();
}

}  // namespace troupe::detail
