// The awaitable behind `co_await ref.send<M>(args...)`.
//
// It gives result<void>: ok means that the message is in the target's mailbox (in this process) or encoded
// into the lane to the target's node, and that it will be delivered or counted as a dead letter, exactly
// once. Errors: no_such_actor, stopped, unreachable, too_large, not_encodable, full (only for a send to
// oneself, which never waits). It waits while the target has no room. Destroyed while it waits, the message
// was never sent. The result may be dropped: failures are counted by the node. Belongs to the actor that
// awaits it.
#pragma once

#include <coroutine>

#include <troupe/detail/address.hpp>
#include <troupe/detail/message.hpp>
#include <troupe/detail/strand.hpp>
#include <troupe/result.hpp>

namespace troupe {

namespace detail {

struct link_wait;  // waits for credit on a link (delivery.cpp)

/// An operation that ends when a receipt for it comes home (strand::find gives it to actor_core::complete).
class awaiting_receipt : public operation {
 public:
  awaiting_receipt() noexcept = default;
  ~awaiting_receipt();

  /// A receipt addressed to this operation; it must be suspended already.
  void expect(receipt* r) noexcept;
  void arrive(receipt* r) noexcept;
  /// Gives the wait up: what has not been admitted yet never will be. Says whether that was so.
  bool abandon() noexcept;
  receipt* arrived() const noexcept { return arrived_; }
  receipt* take() noexcept { return std::exchange(arrived_, nullptr); }

 private:
  receipt* outstanding_ = nullptr;  // owned by the target until it arrives
  receipt* arrived_ = nullptr;      // owned here
};

}  // namespace detail

class [[nodiscard("co_await it: a send that is not awaited sends nothing")]] send_operation {
 public:
  send_operation(const detail::address& to, detail::envelope* e) noexcept : to_(to), envelope_(e) {}
  send_operation(const send_operation&) = delete;
  send_operation& operator=(const send_operation&) = delete;
  ~send_operation();

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> sender);
  result<void> await_resume() noexcept;
  /// While it waits, on the sender's worker: true if the message has not been accepted and now never will be,
  /// once this is destroyed.
  bool give_up() noexcept;

 private:
  bool settle(error outcome) noexcept;

  detail::address to_;
  detail::envelope* envelope_;  // ours until it is accepted
  error outcome_ = errc::ok;
  bool awaited_ = false;
  detail::awaiting_receipt wait_;
  detail::link_wait* link_wait_ = nullptr;
};

}  // namespace troupe
