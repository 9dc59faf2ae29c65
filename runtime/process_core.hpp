// A child process that outlives its handle until it is reaped.
//
// Protocol. It waits for the pidfd from its first moment, and reaps the child when that is readable: whoever waits for the
// end is told. Let go before that, it kills the child and counts in worker::closing until the child is reaped, so that a worker
// does not end under it, nor the child outlive the worker. Everything runs on the home worker.
#pragma once

#include <optional>

#include <troupe/process.hpp>

#include "io_driver.hpp"

namespace troupe::detail {

class process_core {
 public:
  process_core(worker& home, started_process child);
  process_core(const process_core&) = delete;
  process_core& operator=(const process_core&) = delete;

  /// The handle is gone.
  void let_go() noexcept;
  /// False: this process may not.
  bool end(bool at_once) const noexcept;
  const std::optional<exit_status>& status() const noexcept { return status_; }
  void wait(process_end_operation& waiter) noexcept;
  void give_up(process_end_operation& waiter) noexcept;
  void assert_here() const noexcept;

  started_process child;
  const std::optional<byte_stream> in, out, err;

 private:
  struct pidfd_wait : io_operation {
    explicit pidfd_wait(process_core& o) noexcept;
    process_core& of;
  };
  ~process_core() = default;
  void pidfd_is_readable(bool cancelled) noexcept;

  worker& home_;
  std::optional<exit_status> status_;
  process_end_operation* waiter_ = nullptr;
  bool let_go_ = false;
  pidfd_wait wait_{*this};
};

}  // namespace troupe::detail
