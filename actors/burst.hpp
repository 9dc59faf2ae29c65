// Many messages of one run to one actor of another worker. Whoever publishes each by itself fights with the taker over the
// actor's lines of cache: most of a stream's time.
//
// So after the first 64 of a run, if there is room for two chunks of 16, that many are published together. The rest goes at
// the end of the run, and before the run sends anything else to another worker: a message to somebody else, a reply, a DOWN, an
// order. So what is held back, while a run computes on, is less than a quarter of what its taker has got from it already;
// and a run that has used its time slice holds back nothing.
//
// Small messages of normal priority, to mailboxes whose senders wait. They are accepted: the books and the node's memory count
// them, the mailbox when they are published. The worker's own thread only.
#pragma once

#include <cstdint>

#include <troupe/detail/message.hpp>

namespace troupe::detail {

class actor_core;

class burst {
 public:
  /// True: it is accepted. False: it is to go by itself, and all before it has gone.
  bool takes(actor_core& to, std::uint32_t generation, envelope& e) noexcept;
  /// Nothing is held back from then on.
  void end() noexcept {
    if (to_ != nullptr) finish();
  }

 private:
  bool begins(const envelope& e) noexcept;
  void publish() noexcept;
  void finish() noexcept;

  actor_core* to_ = nullptr;
  std::uint32_t generation_ = 0;
  std::uint32_t singly_ = 0;  // so many more go by themselves
  std::uint32_t held_ = 0;
  letter* latest_ = nullptr;  // of those held back: each one's `next` is the one before it
  letter* oldest_ = nullptr;
};

}  // namespace troupe::detail
