// An actor's slot: its mailbox, its coroutine and its place in the tree.
//
// The mailbox is a plain queue that only the home worker touches, and a lock-free inlet for everybody else.
// The inlet is a stack of letters (Treiber, 1986): a sender pushes with a compare-exchange, the home worker
// takes the whole chain with one exchange and turns it round, so each sender's letters stay in order. Whoever
// pushes onto an empty inlet posts the actor to its home worker. That makes the inlet itself the "scheduled"
// flag: from empty to not empty there is exactly one post, so no wake-up can be lost and none is doubled.
//
// | operation                     | who         | synchronisation                                        |
// | push                          | any thread  | CAS release: publishes the letter to the drain         |
// | drain                         | home worker | exchange acquire: sees every letter pushed before      |
// | reserve (from elsewhere)      | any thread  | inlet_messages_ fetch_add relaxed: a count only        |
// | take                          | home worker | inlet_messages_ fetch_sub relaxed                      |
// | park (from elsewhere)         | any thread  | waiters_ fetch_add relaxed, before the push            |
// | depth_, closed_, …: write     | home worker | relaxed store                                          |
// | depth_, closed_, …: read      | any thread  | relaxed load: a hint; home decides at the drain        |
// | prepare                       | the spawner | relaxed stores, before anybody has the address         |
//
// Rules
//  1. The home worker drains the inlet before it appends a local message: order per sender holds even when
//     a sender's earlier messages came through the inlet.
//  2. A letter carries the generation it was meant for and is checked at the drain: slots are reused.
//  3. The limit holds for queue + inlet together. Senders on k other workers that reserve at the same
//     instant as the home worker can overshoot it by at most k messages.
//  4. A message that finds no room waits with its sender's consent in `waiting_`, first come, first served,
//     and is admitted when the queue has fallen to half its limit. try_send never overtakes it.
//  5. Control letters are set aside at the drain and obeyed at the start of the actor's next run, never
//     inside another actor's send.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>

#include <troupe/detail/address.hpp>
#include <troupe/detail/message.hpp>
#include <troupe/detail/strand.hpp>

namespace troupe {

enum class exit_kind : std::uint8_t {
  normal,         // its coroutine returned
  stopped,        // it returned after a stop
  killed,         // kill, or the stop's deadline passed
  failed,         // an exception left its coroutine; the text is the exception's
  no_such_actor,  // it was dead already when it was to be monitored
  unreachable,    // its node can no longer be reached; it may live on
  died,           // its process ended
};
std::string_view to_string(exit_kind kind) noexcept;

struct exit_reason {
  exit_kind kind = exit_kind::normal;
  std::string text;
};

namespace detail {

class node_core;
struct control;
struct family;
struct protocol_info;

/// The suspended side of receive or serve. `take` handles one message and never throws.
class receiver : public operation {
 public:
  enum class step : std::uint8_t {
    again,  // handled; ready for the next message
    busy,   // a handler awaits something: no message until resume_receiving()
    done,   // the awaiting coroutine goes on
  };
  using function = step (*)(receiver& self, envelope* taken) noexcept;
  explicit receiver(function f) noexcept : take(f) {}
  ~receiver();

  function take;
  bool stop_seen = false;  // it ends because the actor was asked to stop
};

enum class phase : std::uint8_t {
  free,      // no actor in this slot
  starting,  // spawned, its coroutine has not run yet
  running,
  ending,  // its coroutine is gone; its children are being stopped
};

class actor_core : public strand {
 public:
  static constexpr unsigned messages_per_run = 64;

  actor_core(node_core& node, worker& home, std::uint32_t slot) noexcept;
  ~actor_core();

  node_core& node() const noexcept { return *node_; }
  std::uint32_t slot() const noexcept { return slot_; }
  std::uint32_t generation() const noexcept { return generation_.load(std::memory_order_relaxed); }
  address self() noexcept { return address::of(this, slot_, generation()); }

  // Any thread.
  void push(letter& l) noexcept;
  /// Room for one message, without waiting: ok, full, no_such_actor or stopped. After ok: commit or
  /// unreserve.
  errc reserve(std::uint32_t generation) noexcept;
  void unreserve() noexcept;
  void commit(std::uint32_t generation, envelope* e) noexcept;
  /// Opens the mailbox of an actor that is being spawned: messages may come before its birth has been obeyed.
  /// `number` orders the node's own children by birth, whatever workers they were spawned from and for.
  void prepare(std::uint32_t mailbox, const protocol_info& accepts, std::uint64_t number) noexcept;
  /// Hands over a message that may wait for room; its receipt tells what became of it.
  void park(std::uint32_t generation, envelope* e) noexcept;
  /// A message whose room was granted before: from a link within its credit, or a reserved DOWN.
  void deliver(std::uint32_t generation, envelope* e) noexcept;
  void command(std::uint32_t generation, control* c) noexcept;

  // Home worker.
  static void run(runnable& self, worker& on) noexcept;
  void start_receiving(receiver& r) noexcept;
  void stop_receiving(receiver& r) noexcept;  // the receiver is being destroyed
  void resume_receiving(receiver& r, receiver::step how) noexcept;
  void complete(receipt* r) noexcept;
  void finished(exit_kind how, std::string text) noexcept;  // by the promise, at the end of the coroutine
  /// Nothing new is accepted from now on, and a receive ends after the current handler.
  void close() noexcept { closed_.store(true, std::memory_order_relaxed); }
  /// When it is asked to stop, its frame is destroyed at once.
  void end_when_stopped() noexcept;
  bool stopping() const noexcept { return closed_.load(std::memory_order_relaxed); }
  /// Any thread. Read it before the generation: if that is then the expected one, so is the protocol (release
  /// at spawn and end, acquire here: a newer protocol comes with a newer generation).
  const protocol_info* accepts() const noexcept { return accepts_.load(std::memory_order_acquire); }
  /// Messages held here, by walking the queue and the inlet.
  std::uint64_t walk() const noexcept;
  void born(control& birth) noexcept;  // actor_life.cpp, as all that follows
  void watch(const address& whom, std::uint64_t remote_watch);
  void link_child(actor_core& child) noexcept;

 private:
  void drain() noexcept;
  void sort_in(letter* l) noexcept;
  void dispose(letter* l) noexcept;
  void turn_away(envelope* waiting, errc why) noexcept;
  void append(envelope* e, charge how) noexcept;
  void admit(envelope* e) noexcept;
  void admit_waiting() noexcept;
  envelope* pop() noexcept;
  bool too_late(const envelope& e) const noexcept;
  void take_messages() noexcept;
  void end_receive(bool stop_seen) noexcept;
  bool has_room() const noexcept;

  // actor_life.cpp
  void adopt(actor_core& child) noexcept;
  void obey() noexcept;
  void obey(control& order) noexcept;
  void begin_stop(instant deadline) noexcept;
  void end(exit_kind how) noexcept;
  void end_next_child() noexcept;
  void retire() noexcept;
  void reap(actor_core& child) noexcept;
  void add_monitor(control* c) noexcept;
  void remove_monitor(const control& c) noexcept;
  void unwatch_all() noexcept;
  family& ties();

  struct queue {
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
  };

  // Other threads read or write these.
  std::atomic<letter*> inlet_{nullptr};
  std::atomic<std::uint32_t> inlet_messages_{0};  // charge::inlet: reserved and not taken yet
  std::atomic<std::uint32_t> depth_{0};           // charge::local: in the queue; written by home
  std::atomic<std::uint32_t> limit_{0};           // written by the spawner
  std::atomic<const protocol_info*> accepts_{nullptr};
  std::atomic<std::uint32_t> generation_{1};  // moves on when the actor's coroutine has ended
  std::atomic<bool> closed_{false};           // stop was asked for: nothing new is accepted
  std::atomic<std::uint32_t> waiters_{0};  // messages that wait for room, in waiting_ or still in the inlet

  // Home worker only.
  node_core* node_;
  queue messages_;
  queue waiting_;
  queue controls_;
  receiver* receiver_ = nullptr;
  std::coroutine_handle<> frame_ = nullptr;
  std::unique_ptr<family> ties_;  // children, monitors, name, deadline: made when first needed
  actor_core* parent_ = nullptr;
  actor_core* elder_ = nullptr;  // siblings in order of birth; these two belong to the parent's home worker
  actor_core* younger_ = nullptr;
  std::uint64_t birth_number_ = 0;  // written by the spawner, then the parent's home worker's
  std::uint32_t slot_;
  phase phase_ = phase::free;
  exit_kind how_ = exit_kind::normal;
  bool receiver_busy_ = false;
  bool finished_ = false;
};

}  // namespace detail
}  // namespace troupe
