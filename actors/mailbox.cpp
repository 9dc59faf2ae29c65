#include <troupe/detail/mailbox.hpp>

#include <troupe/assert.hpp>
#include <troupe/detail/checked.hpp>

namespace troupe::detail {

void mailbox::open(const mailbox_limits& limits, bool prioritized) {
  if (prioritized && others_.own() == nullptr) {
    others_.store(new std::array<mailbox_lane, 2>);  // to lane, each_lane
  }
  limit_.store(limits.messages, std::memory_order_relaxed);
  byte_limit_.store(limits.bytes, std::memory_order_relaxed);
  policy_.store(limits.when_full, std::memory_order_relaxed);
}

/// Null: this mailbox has never had that lane, so it is not the one that was meant.
mailbox_lane* mailbox::find(priority p) noexcept {
  if (p == priority::normal) return &normal_;
  auto* const others = others_.load();
  return others != nullptr ? &(*others)[p == priority::high ? 0 : 1] : nullptr;
}

std::uint32_t mailbox::waiters() const noexcept {
  std::uint32_t sum = 0;
  each_lane([&](const mailbox_lane& l) { sum += l.waiters.load(std::memory_order_relaxed); });
  return sum;
}

/// Of `entered` those that have not left it; what has left since `entered` was read is none the less.
static std::uint32_t in_inlet(std::uint32_t entered, std::uint64_t room) noexcept {
  const auto difference = static_cast<std::int32_t>(entered - static_cast<std::uint32_t>(room >> 32));
  return difference > 0 ? static_cast<std::uint32_t>(difference) : 0;
}

bool mailbox::fits(const mailbox_lane& l, std::uint32_t inlet, std::uint32_t queue,
                   bool spent) const noexcept {
  const std::uint64_t messages = std::uint64_t{inlet} + queue;
  if (messages == 0 || mutated(mutant::deaf_bound)) return true;
  if (spent || messages >= limit()) return false;
  const std::uint64_t heavy_bytes = inlet != 0 ? l.heavy_bytes.load(std::memory_order_relaxed) : 0;
  return heavy_bytes + l.bytes.load(std::memory_order_relaxed) < byte_limit_.load(std::memory_order_relaxed);
}

bool mailbox::has_room(const mailbox_lane& l, bool spent) const noexcept {
  const std::uint64_t room = l.room.load(std::memory_order_relaxed);
  const auto depth = static_cast<std::uint32_t>(room);
  // Whatever is reserved: a reservation may be taken back, and then nobody would look again.
  if (depth == 0) return true;
  return fits(l, in_inlet(l.entered.load(std::memory_order_relaxed), room), depth, spent);
}

bool mailbox::half_empty(const mailbox_lane& l) const noexcept {
  return l.depth() <= limit() / 2 &&
         l.bytes.load(std::memory_order_relaxed) <= byte_limit_.load(std::memory_order_relaxed) / 2;
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

/// The queue has `depth` messages from then on.
void mailbox::leave_inlet(envelope& e, std::uint32_t depth) noexcept {
  mailbox_lane& l = lane_of(e);
  e.charged = charge::none;
  l.set_depth(depth, 1);
  if (e.weight > heavy) l.heavy_bytes.fetch_sub(e.weight, std::memory_order_relaxed);
}

// Home worker.

envelope* mailbox::to_shed_for(envelope& e, bool spent) noexcept {
  const overflow when_full = policy();
  const bool of_a_link = e.credit.from != nullptr;
  if (when_full == overflow::wait || (e.charged == charge::none && !of_a_link)) return nullptr;
  if (when_full == overflow::reject && !of_a_link) return nullptr;  // room was reserved
  mailbox_lane& l = lane_of(e);
  if (fits(l, 0, l.depth(), spent)) return nullptr;
  return when_full == overflow::drop_oldest ? take_oldest(l) : &e;
}

void mailbox::add(envelope& e) noexcept {
  const charge came = e.charged;
  mailbox_lane& l = lane_of(e);
  l.messages.push(&e);
  l.bytes.store(l.bytes.load(std::memory_order_relaxed) + e.weight, std::memory_order_relaxed);
  const bool counts = came != charge::none || (e.credit.from != nullptr && !waits());
  if (!counts) return;
  if (came == charge::inlet) {
    leave_inlet(e, l.depth() + 1);
  } else {
    l.set_depth(l.depth() + 1);
  }
  e.charged = charge::queue;
}

void mailbox::put_back(envelope& e) noexcept {
  mailbox_lane& l = lane_of(e);
  l.messages.push_front(&e);
  l.bytes.store(l.bytes.load(std::memory_order_relaxed) + e.weight, std::memory_order_relaxed);
  if (e.charged == charge::queue) l.set_depth(l.depth() + 1);
  scan_from_the_front();
}

bool mailbox::empty() const noexcept {
  if (normal_.messages.head != nullptr) return false;
  const auto* const others = others_.own();
  return others == nullptr ||
         ((*others)[0].messages.head == nullptr && (*others)[1].messages.head == nullptr);
}

/// The highest lane that has a message, unless one below it has been passed over too often.
mailbox_lane& mailbox::next_lane() noexcept {
  auto* const others = others_.own();
  if (others == nullptr) return normal_;
  const std::array<mailbox_lane*, 3> by_rank = {&(*others)[0], &normal_, &(*others)[1]};
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

envelope* mailbox::take(const value_type* only) noexcept {
  if (only == nullptr) return take_out(next_lane(), nullptr);
  mailbox_lane& l = lane(only->lane);
  letter* before = scanned_;
  const auto ahead = [&] { return before != nullptr ? before->next : l.messages.head; };
  while (ahead() != nullptr && static_cast<envelope*>(ahead())->type != only) before = ahead();
  scanned_ = before;
  return take_out(l, before);
}

/// The message behind `before` (null: the first), which counts no longer.
envelope* mailbox::take_out(mailbox_lane& l, letter* before) noexcept {
  auto* const e = static_cast<envelope*>(l.messages.pop_after(before));
  if (e == nullptr) return nullptr;
  l.bytes.store(l.bytes.load(std::memory_order_relaxed) - e->weight, std::memory_order_relaxed);
  if (e->charged == charge::queue) l.set_depth(l.depth() - 1);
  return e;
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
    std::uint32_t waited = 0;
    for (const letter* w = l.waiting.head; w != nullptr; w = w->next) ++waited;
    l.waiters.fetch_sub(waited, std::memory_order_relaxed);
    into.append(l.waiting);
  });
  scan_from_the_front();
  return bytes;
}

envelope* mailbox::pop_waiting() noexcept {
  envelope* next = nullptr;
  each_lane([&](mailbox_lane& l) {
    if (next == nullptr) next = static_cast<envelope*>(l.waiting.pop());
  });
  return next;
}

}  // namespace troupe::detail
