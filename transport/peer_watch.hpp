// Tells a dead peer from an unreachable one: combines the end of a connection with the end of the process
// behind it, where the kernel vouches for one (pidfd). The two come in any order, milliseconds apart (the kernel keeps the
// sockets of an io_uring for as long), so the first waits a moment for the second. Over shared memory the end of the process
// is enough: all that it has written is there. Home worker only.
#pragma once

#include <functional>

#include "lane.hpp"

namespace troupe::detail {

class peer_watch {
 public:
  static constexpr duration patience = std::chrono::milliseconds(100);

  enum class after_death : std::uint8_t { the_rest_comes, all_is_here };

  /// `over` is called once, unless stop() came first.
  peer_watch(worker& home, descriptor pidfd, after_death then, std::function<void(link_end)> over)
      : home_(home), pidfd_(std::move(pidfd)), then_(then), over_(std::move(over)) {}

  void start() {
    if (pidfd_) home_.io().wait_readable(wait_, pidfd_.get());
  }
  /// The connection has ended.
  void hung_up() {
    hung_up_ = true;
    if (pidfd_ && !dead_) {
      be_patient();
    } else {
      decide();
    }
  }
  /// Whether the process is known to have ended.
  bool dead() const noexcept { return dead_; }
  /// Stops watching. When a wait is still in flight, `idle` is called once it is not.
  void stop(std::function<void()> idle) {
    stopped_ = true;
    home_.timers().cancel(timer_);
    if (!wait_.in_flight) return forget();
    idle_ = std::move(idle);
    home_.io().cancel(wait_);
  }
  bool idle() const noexcept { return !wait_.in_flight; }

 private:
  void process_ended(std::int32_t result) {
    if (stopped_) {
      forget();
      return std::exchange(idle_, nullptr)();
    }
    dead_ = result >= 0;
    if (dead_ && !hung_up_ && then_ == after_death::the_rest_comes) {
      be_patient();
    } else {
      decide();
    }
  }
  void be_patient() {
    if (!timer_.armed()) home_.timers().arm(timer_, home_.now() + patience);
  }
  void decide() {
    if (stopped_ || over_ == nullptr || !(hung_up_ || dead_)) return;
    home_.timers().cancel(timer_);
    std::exchange(over_, nullptr)(dead_ ? link_end::died : link_end::unreachable);
  }
  void forget() {
    if (!pidfd_) return;
    home_.io().forget(pidfd_.get());
    pidfd_.reset();
  }

  worker& home_;
  descriptor pidfd_;
  const after_death then_;
  std::function<void(link_end)> over_;
  std::function<void()> idle_;
  bool hung_up_ = false;
  bool dead_ = false;
  bool stopped_ = false;
  bound_io<peer_watch, &peer_watch::process_ended> wait_{*this};
  bound_timer<peer_watch, &peer_watch::decide> timer_{*this};
};

}  // namespace troupe::detail
