// Those who wait for room on their own worker, until they have waited long: such waits are many and short, and have no
// timer each. One looks for those that have become old; from then on these have their own (wait_cycles.hpp).
#pragma once

#include <vector>

#include <troupe/detail/address.hpp>
#include <troupe/detail/timer_wheel.hpp>

namespace troupe::detail {

class worker_state;

class crowds : timer {
 public:
  explicit crowds(worker_state& of) noexcept
      : timer([](timer& self) noexcept { static_cast<crowds&>(self).look(); }), of_(of) {}
  /// From now on neighbours wait there, an actor of this worker. False: there is no memory to keep that in mind, and nobody
  /// looks.
  bool add(const address& where) noexcept;

 private:
  void look() noexcept;
  void look_again_in(duration wait) noexcept;
  duration first_wait() const noexcept;

  worker_state& of_;
  struct crowd {
    address where;
    instant oldest;  // nobody there began to wait before
  };
  std::vector<crowd> where_;
};

}  // namespace troupe::detail
