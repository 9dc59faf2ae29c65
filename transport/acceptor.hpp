// One listening socket: tells of each connection, pauses while the system has no descriptors for more. Worker 0.
#pragma once

#include <functional>

#include <troupe/detail/worker.hpp>

#include "accept_trouble.hpp"
#include "lane.hpp"

namespace troupe::detail {

class acceptor {
 public:
  struct events {
    std::function<void(descriptor)> accepted;
    std::function<void()> stopped;
  };
  acceptor(worker& on, descriptor listener, const endpoint& at, events to)
      : on_(on), listener_(std::move(listener)), at_(at), to_(std::move(to)) {}

  void start();
  void stop();
  bool stopped() const noexcept { return !listener_; }

 private:
  void completed(std::int32_t result);
  void forget();

  worker& on_;
  descriptor listener_;
  endpoint at_;
  events to_;
  accept_trouble trouble_;
  bool stopping_ = false;
  bound_io<acceptor, &acceptor::completed> op_{*this};
  bound_timer<acceptor, &acceptor::start> pause_{*this};
};

}  // namespace troupe::detail
