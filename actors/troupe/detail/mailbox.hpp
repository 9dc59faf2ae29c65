// The messages of an actor: what there is room for, and which is taken next.
//
// | operation                  | who         | synchronisation                                                     |
// | reserve (from elsewhere)   | any thread  | entered fetch_add relaxed, then room relaxed: see below             |
// | has_room_for               | any thread  | relaxed loads: a hint                                               |
// | unreserve, enter           | any thread  | entered fetch_add, fetch_sub, CAS, heavy_bytes fetch_add relaxed:   |
// |                            |             | counts only                                                         |
// | park, unpark (waiters)     | any thread  | fetch_add, fetch_sub relaxed; park before the letter is pushed      |
// | add, leave_inlet, take     | home worker | room: one relaxed store; heavy_bytes fetch_sub relaxed              |
// | room, bytes, waiters: read | any thread  | relaxed load: a hint; home decides                                  |
// | open                       | the spawner | relaxed stores; others_ is published: the lanes, which stay         |
// | everything else            | home worker | plain                                                               |
//
// Senders count what has entered the inlet, home what has left it, in one word with the queue's depth: so a message that
// moves from the one to the other is counted once, whatever a sender sees of that. No order between the two words matters:
// an older room counts a message in the inlet, a later one in the queue.
//
// Rules
//  1. The limits of a lane hold for its queue and the inlet together; k threads that reserve at the same instant can
//     overshoot them by k messages, and k workers that send to it in bursts by a chunk each (burst.hpp). A message of over `heavy` bytes counts against the bytes from its commit on,
//     a smaller one from when home has it.
//  2. A lane without any message always has room for one, whatever its size and however full the node is: so whoever waits
//     for room here is woken when a message is taken.
//  3. A message that finds no room waits with its sender's consent, first come, first served, and is admitted when the
//     lane has fallen to half its limits, or there is room and no more is being taken. try_send never overtakes it, nor does
//     another send but of a neighbour that has just been let in (head_start.hpp).
//  4. Under the dropping policies nobody waits: the inlet is bounded by itself, and home sheds when it adds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <troupe/bounds.hpp>
#include <troupe/detail/atomic.hpp>
#include <troupe/detail/message.hpp>
#include <troupe/detail/published.hpp>

namespace troupe::detail {

class letter_queue {
 public:
  letter* head = nullptr;
  letter* tail = nullptr;

  void push(letter* l) noexcept {
    l->next = nullptr;
    (tail != nullptr ? tail->next : head) = l;
    tail = l;
  }
  letter* pop() noexcept {
    letter* const l = head;
    if (l != nullptr && (head = l->next) == nullptr) tail = nullptr;
    return l;
  }
  /// Takes out the letter behind `before`; null: the first.
  letter* pop_after(letter* before) noexcept {
    if (before == nullptr) return pop();
    letter* const l = before->next;
    if (l != nullptr && (before->next = l->next) == nullptr) tail = before;
    return l;
  }
  void push_front(letter* l) noexcept {
    l->next = std::exchange(head, l);
    if (tail == nullptr) tail = l;
  }
  /// Moves all of `more` to the end.
  void append(letter_queue& more) noexcept {
    if (more.head == nullptr) return;
    (tail != nullptr ? tail->next : head) = more.head;
    tail = more.tail;
    more = {};
  }
};

/// The messages of one priority.
struct mailbox_lane {
  letter_queue messages;
  letter_queue waiting;
  atomic<std::uint32_t> entered{0};  // reservations ever, without those that were taken back
  std::uint32_t neighbours = 0;      // of those in `waiting`, the ones whose senders are of this worker
  /// left << 32 | depth: the messages that have left the inlet, ever, and those in the queue that count against the limit.
  atomic<std::uint64_t> room{0};
  atomic<std::uint64_t> heavy_bytes{0};  // bytes of heavy messages in the inlet
  atomic<std::uint64_t> bytes{0};        // of all messages in the queue
  /// Messages that wait for room, in `waiting` or still in the inlet; those of neighbours count as one: no locked
  /// instruction for each of them.
  atomic<std::uint32_t> waiters{0};
  std::uint32_t passed_over = 0;  // times that a higher lane had its turn while this one had messages
  letter* watched = nullptr;      // in `waiting`: up to it, all who wait have timers (wait_cycles.hpp)

  std::uint32_t depth() const noexcept {
    return static_cast<std::uint32_t>(room.load(std::memory_order_relaxed));
  }
  // Home worker.
  void set_depth(std::uint32_t now, std::uint32_t more_left = 0) noexcept {
    const std::uint64_t left = (room.load(std::memory_order_relaxed) >> 32) + more_left;
    room.store(left << 32 | now, std::memory_order_relaxed);
  }
};

struct mailbox_limits {
  std::uint32_t messages = 1024;
  std::uint64_t bytes = 0;
  overflow when_full = overflow::wait;
};

class mailbox {
 public:
  static constexpr std::uint32_t most_messages = 1u << 23;
  static constexpr std::uint32_t heavy = 512;
  static constexpr std::uint32_t share = 8;  // of a higher priority, before one of a lower

  mailbox() = default;
  ~mailbox() { delete others_.own(); }
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;

  // The spawner.
  void open(const mailbox_limits& limits, bool prioritized);

  // Any thread.
  bool waits() const noexcept { return policy() == overflow::wait; }
  bool rejects() const noexcept { return policy() == overflow::reject; }
  bool drops() const noexcept { return policy() >= overflow::drop_newest; }
  std::uint32_t limit() const noexcept { return limit_.load(std::memory_order_relaxed); }
  /// Room for one message of priority `p`: ok, full, or no_such_actor when the mailbox has no such lane and so cannot
  /// be the one that was meant. `spent`: the node's mailboxes are at its limit of bytes.
  errc reserve(priority p, bool at_home, bool spent) noexcept;
  /// As many of normal priority would find room now, and may wait for it: a hint.
  bool has_room_for(std::uint32_t messages, bool spent) const noexcept;
  /// Small messages of normal priority go into the inlet, so many, unreserved.
  void enter(std::uint32_t messages) noexcept {
    normal_.entered.fetch_add(messages, std::memory_order_relaxed);
  }
  void unreserve(priority p) noexcept { lane(p).entered.fetch_sub(1, std::memory_order_relaxed); }
  /// A reserved message goes into the inlet. False: it is to be shed.
  bool enter(envelope& e, bool spent) noexcept;
  /// It is disposed of, and never gets into the queue.
  void leave_inlet(envelope& e) noexcept;
  /// It waits; only home parks neighbours'.
  void park(const envelope& e) noexcept;
  void unpark(const envelope& e) noexcept;

  // Home worker.
  mailbox_lane& lane_of(const envelope& e) noexcept { return lane(e.type->lane); }
  const mailbox_lane& lane_of(priority p) noexcept { return lane(p); }
  bool has_room(const mailbox_lane& l, bool spent) const noexcept;
  /// By what has come into the queue.
  bool is_full(const mailbox_lane& l) const noexcept { return !fits(l, 0, l.depth(), false); }
  /// Those that wait are let in when this holds.
  bool half_empty(const mailbox_lane& l) const noexcept;
  /// Those that wait there have senders of this worker.
  bool only_neighbours_wait(const mailbox_lane& l) const noexcept;
  /// What has to go before `e` is added: `e` itself, or the oldest of its lane, which is taken out; null: there is room.
  envelope* to_shed_for(envelope& e, bool spent) noexcept;
  void add(envelope& e) noexcept;
  // The short ways, of a mailbox that has one lane and makes senders wait.
  bool is_plain() const noexcept { return waits() && others_.own() == nullptr; }
  /// For nearly every message, when nothing is under way to the inlet: there is room, whoever waits for it.
  bool has_plain_room(bool spent) const noexcept;
  /// It counts if it is charged to the queue.
  void add_plain(envelope& e) noexcept;
  /// The next message, if it counts or is a link's, and nobody is to be let in.
  envelope* take_plain() noexcept;
  void put_back(envelope& e) noexcept;
  bool empty() const noexcept;
  bool is_empty_plain() const noexcept { return normal_.messages.head == nullptr; }
  bool has_waiters() const noexcept;
  std::uint32_t waiters() const noexcept;
  bool has_plain_waiters() const noexcept { return normal_.waiters.load(std::memory_order_relaxed) != 0; }
  /// The next message, or the first of type `only` behind what was scanned before; null: none.
  envelope* take(const value_type* only = nullptr) noexcept;
  void scan_from_the_front() noexcept { scanned_ = nullptr; }
  /// A selective receiver has looked at all of it.
  bool all_scanned(const mailbox_lane& l) const noexcept { return scanned_ == l.messages.tail; }
  /// Takes out the first message that `meant` is true for.
  template <class Meant>
  envelope* extract(Meant&& meant) noexcept;
  /// The same of those that wait for room.
  template <class Meant>
  envelope* extract_waiting(Meant&& meant) noexcept;
  envelope* pop_waiting() noexcept;
  envelope* pop_waiting(mailbox_lane& l) noexcept;  // there is one
  /// Moves all messages, and all that wait, to the end of `into`; the bytes that the messages took.
  std::uint64_t take_all(letter_queue& into) noexcept;
  template <class F>
  void each_lane(F&& f) const;
  template <class F>
  void each_lane(F&& f) {
    std::as_const(*this).each_lane([&](const mailbox_lane& l) { f(const_cast<mailbox_lane&>(l)); });
  }

 private:
  overflow policy() const noexcept { return policy_.load(std::memory_order_relaxed); }
  mailbox_lane* find(priority p) noexcept;
  mailbox_lane& lane(priority p) noexcept { return *find(p); }
  bool fits(const mailbox_lane& l, std::uint32_t inlet, std::uint32_t queue, bool spent) const noexcept;
  void leave_inlet(envelope& e, std::uint32_t depth) noexcept;
  mailbox_lane& next_lane() noexcept;
  mailbox_lane& next_by_rank(std::array<mailbox_lane, 2>& others) noexcept;
  envelope* take_first(const value_type& only) noexcept;
  envelope* take_out(mailbox_lane& l, letter* before) noexcept;
  envelope* take_oldest(mailbox_lane& l) noexcept;

  mailbox_lane normal_;
  published<std::array<mailbox_lane, 2>*> others_;  // high, low; made once, and then the slot's for good
  letter* scanned_ = nullptr;                       // a selective receiver has seen its lane up to here
  atomic<std::uint64_t> byte_limit_{0};
  atomic<std::uint32_t> limit_{0};
  atomic<overflow> policy_{overflow::wait};
};

template <class F>
void mailbox::each_lane(F&& f) const {
  const auto* const others = others_.load();
  if (others != nullptr) f((*others)[0]);
  f(normal_);
  if (others != nullptr) f((*others)[1]);
}

template <class Meant>
envelope* mailbox::extract(Meant&& meant) noexcept {
  envelope* found = nullptr;
  each_lane([&](mailbox_lane& l) {
    letter* before = nullptr;
    for (letter* at = l.messages.head; at != nullptr && found == nullptr;
         before = std::exchange(at, at->next)) {
      if (!meant(static_cast<envelope&>(*at))) continue;
      found = take_out(l, before);
      return scan_from_the_front();
    }
  });
  return found;
}

template <class Meant>
envelope* mailbox::extract_waiting(Meant&& meant) noexcept {
  envelope* found = nullptr;
  each_lane([&](mailbox_lane& l) {
    letter* before = nullptr;
    for (letter* at = l.waiting.head; at != nullptr && found == nullptr;
         before = std::exchange(at, at->next)) {
      if (!meant(static_cast<envelope&>(*at))) continue;
      found = static_cast<envelope*>(l.waiting.pop_after(before));
      if (found == l.watched) l.watched = before;
      return;
    }
  });
  return found;
}

}  // namespace troupe::detail
