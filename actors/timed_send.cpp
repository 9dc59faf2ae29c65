#include <troupe/detail/timed_send.hpp>

#include <algorithm>

#include <troupe/detail/actor_core.hpp>

#include "control.hpp"

namespace troupe::detail {
namespace {

instant after(instant from, duration d) noexcept {
  return d < instant::max() - from ? from + std::max(d, duration::zero()) : instant::max();
}

void fire(timed_send& t) {
  const bool again = t.send() && t.period != duration::zero();
  actor_core& owner = *t.owner;
  if (!again) {
    end_timed_send(owner, t.number);
    return;
  }
  // Ticks that a busy worker has missed are left out; the others keep the rhythm.
  const instant now = owner.home().now();
  t.due = after(t.due, t.period);
  if (t.due <= now) t.due = after(t.due, (now - t.due) / t.period * t.period + t.period);
  owner.home().timers().arm(t, t.due);
}

}  // namespace

timed_send::timed_send(duration every) noexcept
    : timer([](timer& self) noexcept { fire(static_cast<timed_send&>(self)); }), period(every) {}

std::uint64_t begin_timed_send(actor_core& owner, std::unique_ptr<timed_send> what, duration first) {
  family& f = owner.ties();
  timed_send& t = *what;
  t.owner = &owner;
  t.due = after(owner.home().now(), first);
  t.number = f.timers.put(std::move(what));
  owner.home().timers().arm(t, t.due);
  return t.number;
}

bool end_timed_send(actor_core& owner, std::uint64_t number) noexcept {
  return owner.ties().timers.erase(number);
}

}  // namespace troupe::detail
