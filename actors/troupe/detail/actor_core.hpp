// An actor's slot: its mailbox, its coroutine and its place in the tree.
//
// The mailbox is a plain queue that only the home worker touches, and two lock-free inlets for everybody else
// (intake.hpp): the express one for orders and messages of high priority, which thus never wait until a flood of others
// is sorted.
//
// | operation                     | who         | synchronisation                                        |
// | push                          | any thread  | intake::push; ends the burst of the worker that pushes |
// | accept, push (several)        | burst.hpp   | the same, without that                                 |
// | has_room_for                  | any thread  | relaxed loads: a hint                                  |
// | drain, look, drain_express    | home worker | intake::look, express                                  |
// | generation, accepts           | any thread  | tenancy.hpp                                            |
// | closed_, …: write             | home worker | relaxed store                                          |
// | closed_, …: read              | any thread  | relaxed load: a hint; home decides at the drain        |
// | prepare                       | the spawner | relaxed stores, before anybody has the address         |
// | parent_: write, read          | home, any   | published at birth: for the watchdog (activity.hpp)    |
//
// Rules
//  1. The home worker drains the inlet before it appends a local message: order per sender holds even when
//     a sender's earlier messages came through the inlet.
//  2. A letter carries the generation it was meant for and is checked at the drain: slots are reused.
//  3. What there is room for is the mailbox's business (mailbox.hpp).
//  4. What the inlet held is sorted in small steps, and a run stops that for whatever comes by express: a flood to be
//     shed holds no order up. For the rest the actor is scheduled.
//  5. Control letters are set aside at the drain and obeyed at the start of the actor's next run, never
//     inside another actor's send. They overtake messages, but for orders that look for one (looks_at_messages).
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <troupe/detail/address.hpp>
#include <troupe/detail/intake.hpp>
#include <troupe/detail/mailbox.hpp>
#include <troupe/detail/message.hpp>
#include <troupe/detail/published.hpp>
#include <troupe/detail/receiver.hpp>
#include <troupe/detail/strand.hpp>
#include <troupe/detail/tenancy.hpp>

namespace troupe {

struct supervision;

enum class exit_kind : std::uint8_t {
  normal,         // its coroutine returned
  stopped,        // it returned after a stop
  killed,         // kill, or the stop's deadline passed
  failed,         // an exception left its coroutine; the text is the exception's
  no_such_actor,  // it was dead already when it was to be monitored
  unreachable,    // its node can no longer be reached; it may live on
  died,           // its process ended
  linked,         // an actor that it was linked with ended; the text says why
};
std::string_view to_string(exit_kind kind) noexcept;
inline constexpr std::size_t exit_kinds = static_cast<std::size_t>(exit_kind::linked) + 1;

struct exit_reason {
  exit_kind kind = exit_kind::normal;
  std::string text;
};

struct actor_info;
struct kind_info;

namespace detail {

class activity;
class node_core;
class supervisor;
class worker_state;
class awaiting_receipt;
class waiting_send;
enum class send_try : std::uint8_t;
struct chase;
struct control;
struct family;
struct needed_waits;
struct protocol_info;

enum class phase : std::uint8_t {
  free,      // no actor in this slot
  starting,  // spawned, its coroutine has not run yet
  running,
  resting,  // its coroutine is gone; it waits for its children to end, then for its restart
  ending,   // its coroutine is gone; its children are being stopped
};

/// A child that restarts, as its parent sees it.
enum class upkeep : std::uint8_t {
  up,
  ending,  // told to end for the sake of a sibling
  down,    // it has ended, with its children, and waits for its restart
};

class actor_core : public strand {
 public:
  static constexpr unsigned turns_per_run = 64;       // messages that are taken, and coroutines that go on
  static constexpr unsigned turns_per_look = 8;       // into the inlet, during a run
  static constexpr unsigned letters_per_glance = 16;  // at the express inlet, while letters are sorted

  actor_core(node_core& node, worker& home, std::uint32_t slot) noexcept;
  ~actor_core();

  node_core& node() const noexcept { return *node_; }
  std::uint32_t slot() const noexcept { return slot_; }
  std::uint32_t generation() const noexcept { return tenancy_.generation(); }
  address self() noexcept { return address::of(this, slot_, generation()); }

  // Any thread.
  void push(letter& l) noexcept;
  /// So many messages that were accepted, each of whose `next` is the one before it.
  void push(letter& latest, letter& oldest, std::uint32_t count) noexcept;
  /// Room for one message, without waiting: ok, full, no_such_actor or stopped. After ok: commit or
  /// unreserve.
  errc reserve(std::uint32_t generation, priority p) noexcept;
  void unreserve(priority p) noexcept;
  /// From elsewhere, without reserving it: as many of normal priority would find room now, and may wait for it.
  bool has_room_for(std::uint32_t generation, std::uint32_t messages) noexcept;
  /// One of those, which is to be pushed soon. It counts in the books, and in the mailbox from when it is pushed.
  void accept(std::uint32_t generation, envelope& e) noexcept;
  /// Whoever finds no room here may wait for it.
  bool lets_wait() const noexcept { return box_.waits(); }
  void commit(std::uint32_t generation, envelope* e) noexcept;
  /// Both in one; unless it is ok the message is still the caller's.
  errc try_push(std::uint32_t generation, envelope* e) noexcept;
  /// The way of nearly every message, which has been weighed: its actor is at home here, nothing is in its inlets, and it has
  /// room. Unless it is done it is still the caller's.
  send_try push_here(std::uint32_t generation, envelope* e) noexcept;
  /// Opens the mailbox of an actor that is being spawned: messages may come before its birth has been obeyed.
  /// `number` orders the node's own children by birth, whatever workers they were spawned from and for.
  void prepare(const mailbox_limits& limits, const protocol_info& accepts, std::uint64_t number,
               bool restarts_when_it_fails) noexcept;
  /// Hands over a message that may wait for room; its receipt tells what became of it.
  void park(std::uint32_t generation, envelope* e) noexcept;
  /// The same on its home worker, for an actor that is at home here too: neither moves while that lasts.
  void park_here(std::uint32_t generation, envelope* e, waiting_send& sender) noexcept;
  /// What was parked here waits no longer, and is gone.
  void withdraw(envelope& waiting) noexcept;
  /// A message whose room was granted before: from a link within its credit, or a reserved DOWN.
  void deliver(std::uint32_t generation, envelope* e) noexcept;
  void command(std::uint32_t generation, control* c) noexcept;

  // Home worker.
  static void run(runnable& self, worker& on) noexcept;
  void start_receiving(receiver& r) noexcept;
  void stop_receiving(receiver& r) noexcept;  // the receiver is being destroyed
  /// Without a wait, for the coroutine that runs: whether there was a message, and the run's share lasts. Not in a group
  /// (when.hpp), which has to begin the others first.
  bool receive_at_once(worker& here, receiver& r, const std::source_location& at) noexcept;
  /// Home worker: none waits for a receiver. False if that takes a closer look.
  bool plainly_has_none() const noexcept { return plain_ && box_.is_empty_plain() && !intake_.has_come(); }
  void resume_receiving(receiver& r) noexcept;  // one of its handlers has ended
  void node_has_room() noexcept;                // again, and messages wait here for nothing else
  void expire_receive(receiver& r) noexcept;    // the time for the first message is over
  /// A message that was taken for a receive which then was given up goes back to the front.
  void put_back(envelope* e) noexcept;
  void complete(receipt* r) noexcept;
  void finished(exit_kind how, std::string text) noexcept;  // by the promise, at the end of the coroutine
  /// Nothing new is accepted from now on, and a receive ends after the current handler.
  void close() noexcept {
    closed_.store(true, std::memory_order_relaxed);
    plain_ = false;
  }
  /// When it is asked to stop, its frame is destroyed at once; or is not any more.
  void end_when_stopped(bool does = true) noexcept;
  /// When it is asked to stop, the handlers that run are given up.
  void drop_handlers_when_stopped() noexcept;
  bool stopping() const noexcept { return closed_.load(std::memory_order_relaxed); }
  /// Any thread. Null: there is no actor of that generation here.
  const protocol_info* accepts(std::uint32_t generation) const noexcept {
    return tenancy_.accepts(generation);
  }
  /// Messages held here, by walking the queue and the inlet.
  std::uint64_t walk() const noexcept;
  void born(control& birth) noexcept;  // actor_life.cpp, as all that follows
  void watch(const address& whom, std::uint64_t remote_watch);
  void unwatch(const address& whom) noexcept;
  void link_child(actor_core& child) noexcept;
  family& ties();
  std::string label() const;  // its name, or "#slot"
  bool lives() const noexcept { return phase_ != phase::free; }
  bool has_requests() const noexcept;
  /// Any thread; null: the root. While it lives, so do all above it.
  actor_core* parent() const noexcept { return parent_.load(); }
  std::string doing() const;  // inspect.cpp: what it waits for, and where
  actor_info look() const;
  const kind_info& kind() const noexcept { return *kind_; }
  std::uint64_t messages_out() const noexcept { return messages_out_; }
  unsigned origin() const noexcept { return origin_; }
  void chase_wait(
      const awaiting_receipt& wait) noexcept;  // wait_cycles.cpp: it has waited long for another actor
  instant look_after_neighbours(instant began_by) noexcept;  // wait_cycles.cpp
  void overdue() noexcept;  // overdue.cpp: it has not ended by the deadline of its stop

 private:
  friend class supervisor;

  void put_in(letter& l) noexcept;
  void drain() noexcept;
  bool look() noexcept;
  bool drain_express() noexcept;
  void sort_in(letter* l) noexcept;
  void dispose(letter* l) noexcept;
  void turn_away(envelope* waiting, errc why) noexcept;
  void append(envelope* e) noexcept;
  void leave_inlet(envelope& e) noexcept;
  bool goes_ahead(const worker& here, const worker_state& state) const noexcept;
  void append_plain(envelope& e, worker& here, worker_state& state, instant now) noexcept;
  void admit(envelope* e) noexcept;
  void admit_neighbours(envelope* e) noexcept;
  void admit_waiting() noexcept;
  void admit_waiting(mailbox_lane& l, std::uint32_t most = UINT32_MAX) noexcept;
  void admit_in_batches() noexcept;
  void note_starved() noexcept;
  void forget_starved() noexcept;
  bool too_late(const envelope& e) const noexcept;
  bool begin_request(envelope* e) noexcept;
  worker_state& state() const noexcept;  // of its home
  static worker_state& state(const worker& home) noexcept;
  void hold(std::int64_t bytes) noexcept;
  void commit_from_elsewhere(std::uint32_t generation, envelope* e) noexcept;
  void commit_at_home(std::uint32_t generation, envelope* e) noexcept;
  void wake() noexcept;
  void wake(worker& here) noexcept;
  bool shed_for(envelope& e) noexcept;
  void begin_run(worker& on) noexcept;
  void work(worker& here, worker_state& state, std::uint64_t before);
  bool take_for_the_passed_over(worker& here, worker_state& state, std::uint64_t before) noexcept;
  void note_slice(const worker_state& state) noexcept;
  void note_plain() noexcept;
  envelope* next_message(const value_type* only, worker_state& state) noexcept;
  envelope* next_plain(worker_state& state) noexcept;
  bool has_nothing() const noexcept;
  void give_message(envelope& e, receiver& r, worker& here, worker_state& state) noexcept;
  void resume_receiver(receiver& r, worker& here, worker_state& state) noexcept;
  void work_plainly(worker& here, worker_state& state) noexcept;
  bool has_more_to_do() const noexcept;
  void take_messages(worker& here, worker_state& state) noexcept;
  void end_run(worker& on, worker_state& state) noexcept;
  void go_on(receiver& r) noexcept;
  void cancel(const control& c) noexcept;
  bool cancel_one(const control& c) noexcept;
  bool has_mail() const noexcept;
  void end_receive(errc why) noexcept;
  void expire_overdue() noexcept;
  bool node_is_full() const noexcept;

  // actor_life.cpp
  void adopt(actor_core& child) noexcept;
  void obey() noexcept;
  void obey(control& order) noexcept;
  void begin_stop(instant deadline) noexcept;
  void end(exit_kind how) noexcept;
  void bury() noexcept;
  void end_next_child() noexcept;
  void retire() noexcept;
  void leave() noexcept;
  bool reaps_at_once() const noexcept;
  void reap(actor_core& child) noexcept;
  void add_monitor(control* c) noexcept;
  void remove_monitor(const control& c) noexcept;
  void unwatch_all() noexcept;

  // supervision.cpp
  bool restarts(exit_kind how) const noexcept;
  void rest() noexcept;
  void report_rest() noexcept;
  void restart() noexcept;
  supervisor& supervising();
  friend void supervise(actor_core& parent, const supervision& policy);

  // actor_links.cpp
  bool hold_link(const address& other, std::uint32_t session);
  void linked_by(const control& c);
  bool drop_link(const address& other) noexcept;
  void linked_one_ended(const control& c) noexcept;
  void end_linked(const exit_reason& why) noexcept;
  void lose_peer(const control& c) noexcept;
  void tell_linked() noexcept;
  friend void link(actor_core& one, const address& other);
  friend void unlink(actor_core& one, const address& other) noexcept;

  // wait_cycles.cpp
  needed_waits needed() const noexcept;
  bool is_awaited() const noexcept;
  void follow(std::unique_ptr<chase> c) noexcept;
  void confirm(std::unique_ptr<chase> c) noexcept;
  void check_selective();
  std::string mailbox_text() const;

  // Other threads read or write these.
  intake<letters_per_glance> intake_;
  mailbox box_;
  tenancy tenancy_;  // ends when the actor's coroutine has ended

  // Home worker only.
  node_core* node_;
  letter_queue controls_;
  receiver* receiver_ = nullptr;
  std::coroutine_handle<> frame_ = nullptr;
  std::unique_ptr<family> ties_;  // children, monitors, name, deadline: made when first needed
  published<actor_core*> parent_;
  actor_core* elder_ = nullptr;  // siblings in order of birth; these two belong to the parent's home worker
  actor_core* younger_ = nullptr;
  std::uint64_t birth_number_ = 0;  // written by the spawner, then the parent's home worker's
  std::uint64_t messages_out_ = 0;  // taken out of the queue
  kind_info* kind_ = nullptr;       // in the census of its origin
  std::uint32_t slot_;
  std::atomic<bool> closed_{false};  // stop was asked for: nothing new is accepted; read by any thread
  const std::uint8_t origin_;        // the worker that it begins at, and ends at
  phase phase_ = phase::free;
  exit_kind how_ = exit_kind::normal;
  bool plain_ =
      false;  // it lives, has not finished and is not stopping, no order waits, all that was looked at is sorted, its
              // mailbox is plain: messages may take the short ways
  bool finished_ = false;
  bool restartable_ = false;  // written by the spawner
  bool retired_ = false;  // all have been told of its end; it leaves its slot when it is back at its origin
  bool again_ = false;    // in this run something came for its receiver, or is left for it
  bool starved_ = false;  // noted as waiting for the node's room
  bool crowded_ = false;  // noted in worker_state::waiting_here
  upkeep upkeep_ = upkeep::up;  // belongs to the parent's home worker, as elder_ does
};

}  // namespace detail
}  // namespace troupe
