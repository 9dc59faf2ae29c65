// What the two I/O drivers share: counting operations in flight, and the event behind wake().
#pragma once

#include <cstddef>

#include <troupe/assert.hpp>
#include "io_driver.hpp"

namespace troupe::detail {

class driver_base : public io_driver {
 public:
  ~driver_base() override {
    TROUPE_ASSERT(in_flight_ == 0, "cancel every operation and let it complete before the driver goes");
  }
  void wake() noexcept final { os_env().signal_event(wake_event_.get()); }

 protected:
  explicit driver_base(descriptor wake_event) noexcept : wake_event_(std::move(wake_event)) {}

  void begin(io_operation& op) noexcept {
    TROUPE_ASSERT(!op.in_flight, "wait for an operation's handler before starting it again");
    op.in_flight = true;
    ++in_flight_;
  }
  /// The last thing done with `op`: its handler may start it again or destroy it.
  void finish(io_operation& op, std::int32_t result) noexcept {
    op.in_flight = false;
    --in_flight_;
    op.on_complete(op, result);
  }
  std::size_t in_flight() const noexcept { return in_flight_; }
  int wake_event() const noexcept { return wake_event_.get(); }

 private:
  descriptor wake_event_;
  std::size_t in_flight_ = 0;
};

}  // namespace troupe::detail
