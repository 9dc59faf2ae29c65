// The I/O driver of a simulated worker. Operations complete in the turn after the world allowed it. A turn that may sleep
// does not block: it says so, returns, and the universe gives the next turn when there is a reason.
#pragma once

#include <vector>

#include <troupe/assert.hpp>

#include "sim/sim_object.hpp"

namespace troupe::detail {

class sim_driver final : public io_driver {
 public:
  explicit sim_driver(sim_process& of) noexcept : process_(of) {}
  ~sim_driver() override;

  io_backend backend() const noexcept override { return io_backend::automatic; }
  void accept(io_operation& op, int listener) override {
    start(op, listener, {.what = sim_object::kind::accept});
  }
  void connect(io_operation& op, int socket, const endpoint& to) override;
  void receive(io_operation& op, int socket, std::span<std::byte> into) override {
    start(op, socket, {.what = sim_object::kind::receive, .into = into});
  }
  void send(io_operation& op, int socket, std::span<const std::byte> from) override {
    start(op, socket, {.what = sim_object::kind::send, .from = from});
  }
  void wait_readable(io_operation& op, int fd) override {
    start(op, fd, {.what = sim_object::kind::readable});
  }
  void wait_writable(io_operation&, int) override { TROUPE_ASSERT(false, "a simulation has no FIFOs"); }
  void cancel(io_operation& op) noexcept override;
  void forget(int) noexcept override {}
  void turn(std::optional<instant> until) override;
  void wake() noexcept override { asleep_ = false; }

  sim_process& process() const noexcept { return process_; }
  /// Its handler runs in the next turn.
  void complete(io_operation& op, std::int32_t result);
  /// Whether the worker sleeps, and until when by its process's clock.
  bool asleep() const noexcept { return asleep_; }
  instant until() const noexcept { return until_; }

 private:
  void start(io_operation& op, int fd, sim_object::waiting how);

  struct completion {
    io_operation* op;
    std::int32_t result;
  };
  sim_process& process_;
  std::vector<completion> done_;
  std::size_t in_flight_ = 0;
  bool asleep_ = false;
  instant until_{};
};

}  // namespace troupe::detail
