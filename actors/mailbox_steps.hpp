// The steps of a mailbox that every message takes, inline: for the sources that run an actor. The others: mailbox.cpp.
#pragma once

#include <utility>

#include <troupe/detail/checked.hpp>
#include <troupe/detail/mailbox.hpp>

namespace troupe::detail {

/// Null: this mailbox has never had that lane, so it is not the one that was meant.
inline mailbox_lane* mailbox::find(priority p) noexcept {
  if (p == priority::normal) return &normal_;
  auto* const others = others_.load();
  return others != nullptr ? &(*others)[p == priority::high ? 0 : 1] : nullptr;
}

inline bool mailbox::has_waiters() const noexcept {
  bool any = false;
  each_lane([&](const mailbox_lane& l) { any = any || l.waiters.load(std::memory_order_relaxed) != 0; });
  return any;
}

inline std::uint32_t mailbox::waiters() const noexcept {
  std::uint32_t sum = 0;
  each_lane([&](const mailbox_lane& l) {
    sum += l.waiters.load(std::memory_order_relaxed);
    if (l.neighbours != 0) sum += l.neighbours - 1;
  });
  return sum;
}

inline void mailbox::park(const envelope& e) noexcept {
  mailbox_lane& l = lane_of(e);
  if (e.kind == letter_kind::waiting_here && l.neighbours++ != 0) return;
  l.waiters.fetch_add(1, std::memory_order_relaxed);
}
inline void mailbox::unpark(const envelope& e) noexcept {
  mailbox_lane& l = lane_of(e);
  if (e.kind == letter_kind::waiting_here && --l.neighbours != 0) return;
  l.waiters.fetch_sub(1, std::memory_order_relaxed);
}
inline envelope* mailbox::pop_waiting(mailbox_lane& l) noexcept {
  letter* const first = l.waiting.pop();
  if (first == l.watched) l.watched = nullptr;
  return static_cast<envelope*>(first);
}

/// Of `entered` those that have not left it; what has left since `entered` was read is none the less.
inline std::uint32_t in_inlet(std::uint32_t entered, std::uint64_t room) noexcept {
  const auto difference = static_cast<std::int32_t>(entered - static_cast<std::uint32_t>(room >> 32));
  return difference > 0 ? static_cast<std::uint32_t>(difference) : 0;
}

inline bool mailbox::fits(const mailbox_lane& l, std::uint32_t inlet, std::uint32_t queue,
                          bool spent) const noexcept {
  const std::uint64_t messages = std::uint64_t{inlet} + queue;
  if (messages == 0 || mutated(mutant::deaf_bound)) return true;
  if (spent || messages >= limit()) return false;
  const std::uint64_t heavy_bytes = inlet != 0 ? l.heavy_bytes.load(std::memory_order_relaxed) : 0;
  return heavy_bytes + l.bytes.load(std::memory_order_relaxed) < byte_limit_.load(std::memory_order_relaxed);
}

inline bool mailbox::has_room(const mailbox_lane& l, bool spent) const noexcept {
  const std::uint64_t room = l.room.load(std::memory_order_relaxed);
  const auto depth = static_cast<std::uint32_t>(room);
  // Whatever is reserved: a reservation may be taken back, and then nobody would look again.
  if (depth == 0) return true;
  return fits(l, in_inlet(l.entered.load(std::memory_order_relaxed), room), depth, spent);
}

/// The queue has `depth` messages from then on.
inline void mailbox::leave_inlet(envelope& e, std::uint32_t depth) noexcept {
  mailbox_lane& l = lane_of(e);
  e.charged = charge::none;
  l.set_depth(depth, 1);
  if (e.weight > heavy) l.heavy_bytes.fetch_sub(e.weight, std::memory_order_relaxed);
}

// Home worker.

inline envelope* mailbox::to_shed_for(envelope& e, bool spent) noexcept {
  const overflow when_full = policy();
  const bool of_a_link = e.by_link;
  if (when_full == overflow::wait || (e.charged == charge::none && !of_a_link)) return nullptr;
  if (when_full == overflow::reject && !of_a_link) return nullptr;  // room was reserved
  mailbox_lane& l = lane_of(e);
  if (fits(l, 0, l.depth(), spent)) return nullptr;
  return when_full == overflow::drop_oldest ? take_oldest(l) : &e;
}

inline bool mailbox::has_plain_room(bool spent) const noexcept {
  const mailbox_lane& l = normal_;
  const std::uint64_t room = l.room.load(std::memory_order_relaxed);
  const auto depth = static_cast<std::uint32_t>(room);
  if (depth == 0) return true;
  const bool inlet_is_empty =
      l.entered.load(std::memory_order_relaxed) == static_cast<std::uint32_t>(room >> 32);
  return inlet_is_empty && !spent && depth < limit() &&
         l.bytes.load(std::memory_order_relaxed) < byte_limit_.load(std::memory_order_relaxed);
}

inline void mailbox::add_plain(envelope& e) noexcept {
  const bool counts = e.charged == charge::queue;
  normal_.messages.push(&e);
  normal_.bytes.store(normal_.bytes.load(std::memory_order_relaxed) + e.weight, std::memory_order_relaxed);
  normal_.room.store(normal_.room.load(std::memory_order_relaxed) + counts,
                     std::memory_order_relaxed);  // depth
}

inline bool mailbox::half_empty(const mailbox_lane& l) const noexcept {
  return l.depth() <= limit() / 2 &&
         l.bytes.load(std::memory_order_relaxed) <= byte_limit_.load(std::memory_order_relaxed) / 2;
}

inline bool mailbox::only_neighbours_wait(const mailbox_lane& l) const noexcept {
  return l.neighbours != 0 && l.waiters.load(std::memory_order_relaxed) == 1;
}

inline envelope* mailbox::take_plain() noexcept {
  mailbox_lane& l = normal_;
  auto* const e = static_cast<envelope*>(l.messages.head);
  if (e == nullptr) return nullptr;
  const bool counts = e->charged == charge::queue;
  if (counts == e->by_link) return nullptr;
  if (l.waiters.load(std::memory_order_relaxed) != 0 && (e->next == nullptr || half_empty(l))) return nullptr;
  l.messages.pop();
  __builtin_prefetch(l.messages.head);  // in a long queue it is in no cache
  l.bytes.store(l.bytes.load(std::memory_order_relaxed) - e->weight, std::memory_order_relaxed);
  l.room.store(l.room.load(std::memory_order_relaxed) - counts, std::memory_order_relaxed);  // depth
  return e;
}

inline void mailbox::add(envelope& e) noexcept {
  const charge came = e.charged;
  mailbox_lane& l = lane_of(e);
  l.messages.push(&e);
  l.bytes.store(l.bytes.load(std::memory_order_relaxed) + e.weight, std::memory_order_relaxed);
  const bool counts = came != charge::none || (e.by_link && !waits());
  if (!counts) return;
  if (came == charge::inlet) {
    leave_inlet(e, l.depth() + 1);
  } else {
    l.set_depth(l.depth() + 1);
  }
  e.charged = charge::queue;
}

inline bool mailbox::empty() const noexcept {
  if (normal_.messages.head != nullptr) return false;
  const auto* const others = others_.own();
  return others == nullptr ||
         ((*others)[0].messages.head == nullptr && (*others)[1].messages.head == nullptr);
}

inline mailbox_lane& mailbox::next_lane() noexcept {
  auto* const others = others_.own();
  return others == nullptr ? normal_ : next_by_rank(*others);
}

inline envelope* mailbox::take(const value_type* only) noexcept {
  if (only == nullptr) return take_out(next_lane(), nullptr);
  return take_first(*only);
}

/// The message behind `before` (null: the first), which counts no longer.
inline envelope* mailbox::take_out(mailbox_lane& l, letter* before) noexcept {
  auto* const e = static_cast<envelope*>(l.messages.pop_after(before));
  if (e == nullptr) return nullptr;
  l.bytes.store(l.bytes.load(std::memory_order_relaxed) - e->weight, std::memory_order_relaxed);
  if (e->charged == charge::queue) l.set_depth(l.depth() - 1);
  return e;
}

}  // namespace troupe::detail
