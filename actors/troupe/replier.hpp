// troupe::replier<R>: the answer to a request, to be given later, by whoever holds it.
//
//   [&](const balance& b, troupe::replier<std::int64_t> reply) { waiting.push_back(std::move(reply)); }
//   ...
//   waiting.front().reply(42);
//
// A handler that takes one leaves the request open; the replier may be kept or moved into a message to another
// actor of this process. It answers once; destroyed before, it answers no_reply. Move-only; any thread of one's
// choice, one at a time. A reply to an asker that has gone is counted by the node (accounting::replies_lost).
#pragma once

#include <new>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/message.hpp>
#include <troupe/env.hpp>

namespace troupe {

namespace detail {
/// Takes the answer out of a request, whose message can then be freed.
receipt* take_receipt(envelope* e) noexcept;
receipt* hand_on(envelope* e) noexcept;    // the same, into a replier that the author has
void answer_nothing(receipt* r) noexcept;  // no_reply
void send_home(receipt* r) noexcept;
bool still_wanted(const receipt& r) noexcept;
}  // namespace detail

template <class R>
class replier {
 public:
  replier() noexcept = default;  // of nobody
  explicit replier(detail::receipt* r) noexcept : receipt_(r) {}
  replier(replier&& o) noexcept : receipt_(std::exchange(o.receipt_, nullptr)) {}
  replier& operator=(replier&& o) noexcept {
    std::swap(receipt_, o.receipt_);
    return *this;
  }
  ~replier() {
    if (receipt_ != nullptr) detail::answer_nothing(receipt_);
  }

  /// False once it has answered, or when the asker is known to wait no more: the work may be left undone.
  bool wanted() const noexcept { return receipt_ != nullptr && detail::still_wanted(*receipt_); }
  /// Of the request, by env::now(); instant{} when it has none, or is answered. self::remaining(replier) says how long that is.
  instant deadline() const noexcept { return receipt_ != nullptr ? receipt_->deadline : instant{}; }

  template <class V = R>
    requires(!std::is_void_v<R> && std::is_convertible_v<V &&, R>)
  void reply(V&& value) {
    ::new (open().storage()) R(std::forward<V>(value));
    receipt_->has_value = true;
    detail::send_home(std::exchange(receipt_, nullptr));
  }
  void reply()
    requires std::is_void_v<R>
  {
    open();
    detail::send_home(std::exchange(receipt_, nullptr));
  }

 private:
  detail::receipt& open() const noexcept {
    TROUPE_ASSERT(receipt_ != nullptr, "a replier answers once, and not after it was moved from");
    return *receipt_;
  }

  detail::receipt* receipt_ = nullptr;
};

}  // namespace troupe
