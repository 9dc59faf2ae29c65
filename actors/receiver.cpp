#include <troupe/detail/receiver.hpp>

#include <utility>

#include <troupe/detail/actor_core.hpp>
#include <troupe/selective.hpp>

#include "delivery.hpp"

namespace troupe::detail {

void receiver::cancel() noexcept {
  drop_all();
  if (owner() != nullptr) core().stop_receiving(*this);
  operation::cancel();
}

actor_core& receiver::core() const noexcept { return *static_cast<actor_core*>(owner()); }

void receiver::await_in_mailbox(std::coroutine_handle<> waiter, std::source_location at) {
  suspend(waiter, once ? "receive" : "serve", at);
  core().start_receiving(*this);
}

void receiver::start(running_handler& h) noexcept {
  h.next = std::exchange(handlers, &h);
  if (h.next != nullptr) h.next->prev = &h;
  ++running;
  current_worker->resume(h.frame);
}

void receiver::unlink(running_handler& h) noexcept {
  (h.prev != nullptr ? h.prev->next : handlers) = h.next;
  if (h.next != nullptr) h.next->prev = h.prev;
  --running;
}

void receiver::ended(running_handler& h) noexcept {
  unlink(h);
  h.frame.destroy();
  if (failure) drop_all();  // the actor fails: nobody waits for the others
  if (!taking) core().resume_receiving(*this);
}

void receiver::drop(running_handler& h, error why) noexcept {
  unlink(h);
  envelope* const e = h.message;
  h.frame.destroy();
  discard(e, why);
}

void receiver::cancel_handler(running_handler& h) noexcept {
  destroy(take_receipt(h.message));  // nobody waits for it, and a peer has forgotten its number
  drop(h, errc::expired);
  core().resume_receiving(*this);
}

void receiver::drop_all(errc why) noexcept {
  while (handlers != nullptr) drop(*handlers, why);
}

// .within(d)

void expire_receive(receiver& r) noexcept {
  if (r.owner() != nullptr) static_cast<actor_core*>(r.owner())->expire_receive(r);
}

void arm_for(timer& t, receiver& r, duration d) noexcept {
  worker& w = r.owner()->home();
  if (r.took) return;
  r.limited = true;
  w.timers().arm(t, d < instant::max() - w.now() ? w.now() + d : instant::max());
}

// receive<M>()

void selective_receiver::cancel() noexcept {
  if (taken_ != nullptr) static_cast<actor_core*>(owner())->put_back(std::exchange(taken_, nullptr));
  receiver::cancel();
}

}  // namespace troupe::detail
