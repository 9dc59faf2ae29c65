// The workers of one node and their threads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <troupe/detail/worker.hpp>
#include <troupe/env.hpp>

namespace troupe::detail {

struct scheduler_options {
  unsigned workers = 0;  // 0: one per processor
  io_backend io = io_backend::automatic;
};

/// Owns the workers. Between create() and start() the layer above may set worker::owner.
class scheduler {
 public:
  static result<std::unique_ptr<scheduler>, setup_error> create(env& world, const scheduler_options& options);
  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;
  ~scheduler();

  void start();
  /// Ends the threads after they have drained what was posted; idempotent. Not from a worker.
  void stop();
  /// After stop(): runs what was posted to the workers since their threads ended.
  void settle();

  unsigned size() const noexcept { return static_cast<unsigned>(workers_.size()); }
  worker& at(unsigned index) const noexcept { return *workers_[index]; }
  io_backend backend() const noexcept { return backend_; }
  const std::string& io_note() const noexcept { return io_note_; }  // one line: which backend and why

 private:
  scheduler() = default;
  std::vector<std::unique_ptr<worker>> workers_;
  std::vector<std::unique_ptr<running_thread>> threads_;
  io_backend backend_ = io_backend::automatic;
  std::string io_note_;
};

}  // namespace troupe::detail
