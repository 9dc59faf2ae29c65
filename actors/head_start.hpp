// What a sender may do that has waited for room with neighbours: send there some more before those that still wait, so a crowd
// pays for one wait with several messages. Room is kept for that: few are let in at a time (mailbox.hpp, rule 3).
// One worker's: it is the last that went on there, and loses the rest when another does.
#pragma once

#include <troupe/detail/strand.hpp>
#include <troupe/send.hpp>

namespace troupe::detail {

class actor_core;

class head_start {
 public:
  static constexpr unsigned messages = 15;  // behind the one that has waited

  /// `who` goes on: its message has got into the mailbox of `to`.
  void give(const strand& who, const actor_core& to) noexcept {
    who_ = &who;
    to_ = &to;
    left_ = messages;
  }
  /// Not with a message of its own still waiting, in another coroutine, which this one would overtake.
  bool has(const strand& who, const actor_core& to) const noexcept {
    return left_ != 0 && who_ == &who && to_ == &to && who.every_wait([](const operation& o) {
      return o.what() != waits_to_send && o.what() != waits_for_reply;
    });
  }
  void use() noexcept { --left_; }

 private:
  const strand* who_ = nullptr;
  const actor_core* to_ = nullptr;
  unsigned left_ = 0;
};

}  // namespace troupe::detail
