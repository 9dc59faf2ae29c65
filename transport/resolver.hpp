// Looks the names of hosts up, off the workers: the system's resolver may take as long as it likes. What needs no looking up is
// answered at once.
//
// | operation | who                                               |
// | look_up   | any worker                                        |
// | stop      | who ends the hub; waits for the lookups that run  |
#pragma once

#include <functional>
#include <vector>

#include <troupe/detail/worker.hpp>

#include "blocking_pool.hpp"

namespace troupe::detail {

class resolver {
 public:
  static constexpr unsigned most_threads = 4;
  static constexpr std::size_t most_waiting = 256;
  using answer = result<std::vector<endpoint>, setup_error>;

  explicit resolver(env& world) noexcept : world_(world), threads_(most_threads, most_waiting) {}

  /// `then` runs on `home`: once, unless the resolver is stopped before it has begun.
  void look_up(const endpoint& what, worker& home, std::function<void(answer)> then);
  void stop() noexcept { threads_.stop(); }

 private:
  env& world_;
  blocking_pool threads_;
};

}  // namespace troupe::detail
