#include "sim/sim_object.hpp"

#include <unistd.h>

#include <utility>

#include "sim/sim_driver.hpp"

namespace troupe::detail {

void sim_object::attempt(waiting& w, std::int32_t result) {
  if (result == not_yet) return;
  const waiting done = std::exchange(w, {});
  done.driver->complete(*done.op, result);
}

void sim_object::advance() {
  if (inward_.op != nullptr) {
    const bool seen = inward_.what == kind::readable && readable();
    attempt(inward_, seen ? 0 : inward_.what == kind::readable ? not_yet : try_inward(inward_));
  }
  if (outward_.op != nullptr) attempt(outward_, try_outward(outward_));
}

sim_segment::~sim_segment() { ::close(file_); }

}  // namespace troupe::detail
