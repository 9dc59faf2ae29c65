#include "mailbox_steps.hpp"

namespace troupe::detail {

void mailbox::open(const mailbox_limits& limits, bool prioritized) {
  if (prioritized && others_.own() == nullptr) {
    others_.store(new std::array<mailbox_lane, 2>);  // to lane, each_lane
  }
  limit_.store(limits.messages, std::memory_order_relaxed);
  byte_limit_.store(limits.bytes, std::memory_order_relaxed);
  policy_.store(limits.when_full, std::memory_order_relaxed);
}

errc mailbox::reserve(priority p, bool at_home, bool spent) noexcept {
  mailbox_lane* const l = find(p);
  if (l == nullptr) return errc::no_such_actor;
  if (!drops() && l->waiters.load(std::memory_order_relaxed) != 0) return errc::full;
  if (at_home) return drops() || has_room(*l, spent) ? errc::ok : errc::full;
  const std::uint32_t before = l->entered.fetch_add(1, std::memory_order_relaxed);
  if (drops()) return errc::ok;
  const std::uint64_t room = l->room.load(std::memory_order_relaxed);
  if (fits(*l, in_inlet(before, room), static_cast<std::uint32_t>(room), spent)) return errc::ok;
  unreserve(p);
  return errc::full;
}

bool mailbox::has_room_for(std::uint32_t messages, bool spent) const noexcept {
  const mailbox_lane& l = normal_;
  if (!waits() || l.waiters.load(std::memory_order_relaxed) != 0) return false;
  const std::uint64_t room = l.room.load(std::memory_order_relaxed);
  const std::uint32_t inlet = in_inlet(l.entered.load(std::memory_order_relaxed), room);
  return fits(l, inlet + messages, static_cast<std::uint32_t>(room), spent);
}

bool mailbox::enter(envelope& e, bool spent) noexcept {
  e.charged = charge::inlet;
  mailbox_lane& l = lane_of(e);
  const std::uint64_t heavy_bytes = e.weight > heavy ? e.weight : 0;
  if (heavy_bytes != 0) l.heavy_bytes.fetch_add(heavy_bytes, std::memory_order_relaxed);
  if (!drops()) return true;
  std::uint32_t now = l.entered.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint32_t messages = in_inlet(now, l.room.load(std::memory_order_relaxed));
    if (messages <= 1) return true;
    const bool within =
        l.heavy_bytes.load(std::memory_order_relaxed) <= byte_limit_.load(std::memory_order_relaxed);
    if (!spent && within && messages <= limit()) return true;
    // It leaves only if that still holds: of two that find each other, one has room.
    if (l.entered.compare_exchange_weak(now, now - 1, std::memory_order_relaxed, std::memory_order_relaxed))
      break;
  }
  if (heavy_bytes != 0) l.heavy_bytes.fetch_sub(heavy_bytes, std::memory_order_relaxed);
  e.charged = charge::none;
  return false;
}

void mailbox::leave_inlet(envelope& e) noexcept {
  if (e.charged == charge::inlet) leave_inlet(e, lane_of(e).depth());
}

// Home worker.

void mailbox::put_back(envelope& e) noexcept {
  mailbox_lane& l = lane_of(e);
  l.messages.push_front(&e);
  l.bytes.store(l.bytes.load(std::memory_order_relaxed) + e.weight, std::memory_order_relaxed);
  if (e.charged == charge::queue) l.set_depth(l.depth() + 1);
  scan_from_the_front();
}

/// The highest lane that has a message, unless one below it has been passed over too often.
mailbox_lane& mailbox::next_by_rank(std::array<mailbox_lane, 2>& others) noexcept {
  const std::array<mailbox_lane*, 3> by_rank = {&others[0], &normal_, &others[1]};
  mailbox_lane* next = nullptr;
  for (mailbox_lane* const l : by_rank) {
    if (l->messages.head == nullptr) {
      l->passed_over = 0;
    } else if (next == nullptr || l->passed_over >= share) {
      next = l;
    }
  }
  if (next == nullptr) return normal_;
  bool below = false;
  for (mailbox_lane* const l : by_rank) {
    if (below && l->messages.head != nullptr) ++l->passed_over;
    below = below || l == next;
  }
  next->passed_over = 0;
  return *next;
}

/// The first of that type behind what was scanned before.
envelope* mailbox::take_first(const value_type& only) noexcept {
  mailbox_lane& l = lane(only.lane);
  letter* before = scanned_;
  const auto ahead = [&] { return before != nullptr ? before->next : l.messages.head; };
  while (ahead() != nullptr && static_cast<envelope*>(ahead())->type != &only) before = ahead();
  scanned_ = before;
  return take_out(l, before);
}

envelope* mailbox::take_oldest(mailbox_lane& l) noexcept {
  letter* before = nullptr;
  for (letter* at = l.messages.head; static_cast<envelope*>(at)->charged == charge::none; at = at->next)
    before = at;
  scan_from_the_front();
  return take_out(l, before);
}

std::uint64_t mailbox::take_all(letter_queue& into) noexcept {
  std::uint64_t bytes = 0;
  each_lane([&](mailbox_lane& l) {
    bytes += l.bytes.exchange(0, std::memory_order_relaxed);
    l.set_depth(0);
    into.append(l.messages);
    for (const letter* w = l.waiting.head; w != nullptr; w = w->next)
      unpark(static_cast<const envelope&>(*w));
    l.watched = nullptr;
    into.append(l.waiting);
  });
  scan_from_the_front();
  return bytes;
}

envelope* mailbox::pop_waiting() noexcept {
  envelope* next = nullptr;
  each_lane([&](mailbox_lane& l) {
    if (next == nullptr && l.waiting.head != nullptr) next = pop_waiting(l);
  });
  return next;
}

}  // namespace troupe::detail
