// A worker on the real kernel, over each I/O driver: for tests of byte streams.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "catch.hpp"
#include "io_driver_kit.hpp"
#include "strand_kit.hpp"

#define EACH_BACKEND(name)                                                        \
  const troupe::io_backend name = GENERATE(from_range(troupe::test::backends())); \
  INFO("backend " << troupe::to_string(name))

namespace troupe::test {

/// A worker on the real kernel; the test's thread is the worker's.
struct real_machine {
  detail::worker worker;
  explicit real_machine(std::unique_ptr<io_driver> io) : worker(world(), 0, std::move(io)) {
    detail::current_worker = &worker;
  }
  ~real_machine() {
    worker.request_stop();
    worker.run();
    detail::current_worker = nullptr;
  }
  bool turn_until(const std::function<bool()>& done) {
    const instant give_up = world().now() + 20s;
    while (!done() && world().now() < give_up) worker.turn(false);
    return done();
  }
};

inline std::unique_ptr<player> play(real_machine& on, task<> body) {
  auto p = std::make_unique<player>(on.worker, std::move(body));
  p->start();
  return p;
}

}  // namespace troupe::test
