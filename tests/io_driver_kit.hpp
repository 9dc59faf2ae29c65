// What the tests of the I/O driver share: one driver per backend, operations that remember how they ended.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "io_driver.hpp"

namespace troupe::test {

using namespace std::chrono_literals;
using detail::io_driver;
using detail::io_operation;

inline env& world() { return troupe::os_env(); }

inline std::unique_ptr<io_driver> open_driver(io_backend backend) {
  std::string note;
  auto driver = world().open_io(backend, note);
  REQUIRE(driver.has_value());
  REQUIRE((*driver)->backend() == backend);
  return std::move(*driver);
}

inline const std::vector<io_backend>& backends() {
  static const std::vector<io_backend> all = [] {
    std::string note;
    const auto best = world().open_io(io_backend::automatic, note);
    if (best.has_value() && (*best)->backend() == io_backend::uring)
      return std::vector<io_backend>{io_backend::uring, io_backend::asio};
    WARN("tested over one backend only: " << note);
    return std::vector<io_backend>{io_backend::asio};
  }();
  return all;
}

/// Catch runs the test once for each backend.
#define OPEN_DRIVER(name)                                                                   \
  const troupe::io_backend name##_backend = GENERATE(from_range(troupe::test::backends())); \
  INFO("backend " << troupe::to_string(name##_backend));                                    \
  const std::unique_ptr<troupe::detail::io_driver> name = troupe::test::open_driver(name##_backend)

/// Remembers how it ended.
struct recorded : io_operation {
  recorded() : io_operation(&completed) {}
  static void completed(io_operation& self, std::int32_t result) noexcept {
    auto& r = static_cast<recorded&>(self);
    r.result = result;
    ++r.runs;
  }
  std::int32_t result = 0;
  int runs = 0;
};

/// Gives the driver turns until `done`, at most for a time that no healthy machine needs.
template <class Done>
bool turn_until(io_driver& driver, Done done) {
  const instant give_up = world().now() + 20s;
  while (!done()) {
    if (world().now() > give_up) return false;
    driver.turn(give_up);
  }
  return true;
}

inline std::int32_t finish(io_driver& driver, recorded& op) {
  REQUIRE(turn_until(driver, [&] { return op.runs > 0; }));
  CHECK(op.runs == 1);
  CHECK_FALSE(op.in_flight);
  op.runs = 0;
  return op.result;
}

inline std::pair<descriptor, descriptor> local_pair() {
  int fds[2] = {-1, -1};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  return {descriptor(world(), fds[0]), descriptor(world(), fds[1])};
}

inline void close(io_driver& driver, descriptor& d) {
  driver.forget(d.get());
  d.reset();
}

/// Tests run side by side in several processes.
inline endpoint local_name(const std::string& name) {
  return endpoint::parse("unix://@troupe-io-" + name + "-" + std::to_string(::getpid())).value();
}

inline std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace troupe::test
