#include "sim/sim_driver.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <troupe/assert.hpp>

#include "sim/sim_process.hpp"
#include "sim/universe.hpp"

namespace troupe::detail {

sim_driver::~sim_driver() {
  TROUPE_ASSERT(in_flight_ == 0, "cancel every operation and let it complete before the driver goes");
}

void sim_driver::start(io_operation& op, int fd, sim_object::waiting how) {
  TROUPE_ASSERT(!op.in_flight, "wait for an operation's handler before starting it again");
  const object_ptr o = process_.object(fd);
  sim_object::waiting& side = o->side(how.what);
  TROUPE_ASSERT(side.op == nullptr, "one operation of each side at a time on a descriptor");
  op.in_flight = true;
  op.token = static_cast<std::uint64_t>(fd);
  ++in_flight_;
  how.op = &op;
  how.driver = this;
  side = how;
  o->advance();
}

void sim_driver::connect(io_operation& op, int socket, const endpoint& to) {
  start(op, socket, {.what = sim_object::kind::connect});
  process_.dial(socket, to);
}

void sim_driver::cancel(io_operation& op) noexcept {
  TROUPE_ASSERT(op.in_flight, "cancel operations in flight only");
  const object_ptr o = process_.object(static_cast<int>(op.token));
  for (const auto k : {sim_object::kind::receive, sim_object::kind::send}) {
    if (o->side(k).op != &op) continue;
    o->side(k) = {};
    complete(op, -ECANCELED);
  }
}

void sim_driver::complete(io_operation& op, std::int32_t result) {
  done_.push_back({&op, result});
  asleep_ = false;
}

void sim_driver::turn(std::optional<instant> until) {
  if (done_.empty() && until) {
    asleep_ = true;
    until_ = *until;
    return;
  }
  for (const completion& c : std::exchange(done_, {})) {
    --in_flight_;
    process_.world().trace(c.op->token << 32 ^ static_cast<std::uint32_t>(c.result));
    c.op->in_flight = false;
    c.op->on_complete(*c.op, c.result);
  }
}

}  // namespace troupe::detail
