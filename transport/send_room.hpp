// The bytes that a lane over a socket holds: a limit on them, and whom to tell when there is room again.
//
// Each stream has a gate (sleep_gate.hpp): it sleeps when the lane is full, and the home worker is its poster. The
// stream shuts its gate and looks at the bytes once more; the home worker subtracts what was acknowledged and then looks at
// the gates, so one of the two sees the other. It looks only when the lane is half empty, and that moment comes: what
// fills the other half was published, and goes, and is acknowledged, or the session ends.
//
// | operation   | who                     | synchronisation                                                        |
// | open        | the stream's own worker | the gate's fence, after it is shut and before the second look          |
// | add         | the stream's own worker | relaxed: with the bytes, in the outbox, the home worker sees the count |
// | remove      | the home worker         | relaxed                                                                |
// | offer       | the home worker         | the gate's fence, after what was removed before                        |
// | bytes       | any thread              | relaxed                                                                |
#pragma once

#include <cstddef>
#include <memory>

#include <troupe/detail/sleep_gate.hpp>

namespace troupe::detail {

class send_room {
 public:
  send_room(std::size_t most, unsigned streams)
      : most_(most), streams_(streams), gates_(std::make_unique<sleep_gate[]>(streams)) {}

  /// False: the lane is full but for `spare` bytes that are not for this; the stream will be told.
  bool open(unsigned stream, std::size_t spare) noexcept {
    if (bytes() < most_ - spare) return true;
    gates_[stream].before_last_look();
    return bytes() < most_ - spare;
  }
  void add(std::size_t bytes) noexcept { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void remove(std::size_t bytes) noexcept { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
  /// Calls tell(stream) for each that found no room, if there is enough now.
  template <class F>
  void offer(F tell) {
    if (bytes() > most_ / 2) return;
    for (unsigned i = 0; i < streams_; ++i) {
      if (gates_[i].after_post()) tell(i);
    }
  }
  std::size_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  std::size_t most() const noexcept { return most_; }

 private:
  const std::size_t most_;
  const unsigned streams_;
  atomic<std::size_t> bytes_{0};
  std::unique_ptr<sleep_gate[]> gates_;
};

}  // namespace troupe::detail
