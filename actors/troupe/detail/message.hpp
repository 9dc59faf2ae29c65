// What travels between actors of one process: letters.
//
//   letter     the intrusive node that a mailbox's queue and inlet are made of
//   envelope   a message on its way, with its type erased; a request also carries a receipt and a deadline
//   receipt    what comes back to a waiting sender of another worker (there was room) or asker (the reply); it is
//              allocated when the wait begins, so that answering can never fail for lack of memory
//   control    stop, kill, monitor and the like (actor_core.hpp): never counted against a mailbox's limit
//
// A letter has one owner at a time: the sender, then the inlet or queue it is in, then the actor's home
// worker.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <troupe/bounds.hpp>
#include <troupe/detail/receipt_state.hpp>
#include <troupe/detail/wire_type.hpp>
#include <troupe/detail/worker.hpp>
#include <troupe/env.hpp>
#include <troupe/protocol.hpp>
#include <troupe/result.hpp>

namespace troupe::detail {

class actor_core;
class peer_node;
class session;
class waiting_send;

/// Identity and operations of a value type: a message or a reply. One object a type, compared by address.
struct value_type {
  std::uint32_t size;
  std::uint32_t alignment;  // a power of two, at most that of the pools' blocks
  void (*destroy)(void* value) noexcept;
  void (*construct)(void* storage);  // default; null where the type has no default constructor
  const wire_type* wire;             // null: local-only
  const value_type* reply;           // of a request whose reply is not void
  priority lane;
  bool is_request;
  bool owns_nothing;  // its size is all it takes
};

template <class T>
constexpr const wire_type* wire_of() {
  if constexpr (encodable<T>) {
    if constexpr (request<T>) {
      if constexpr (std::is_void_v<reply_of<T>> || encodable<reply_of<T>>) return &wire_type_of<T>;
      return nullptr;
    } else {
      return &wire_type_of<T>;
    }
  } else {
    return nullptr;
  }
}

template <class T>
constexpr auto default_constructor() -> void (*)(void*) {
  if constexpr (std::is_default_constructible_v<T>) {
    return [](void* storage) { ::new (storage) T(); };
  } else {
    return nullptr;
  }
}

template <class T>
constexpr const value_type* reply_type_of();

template <class T>
constexpr std::uint32_t alignment_of() {
  static_assert(alignof(T) <= pool_cache::granule,
                "a message's or reply's alignment may be 64 bytes at most");
  return alignof(T);
}

template <class T>
inline constexpr value_type value_type_of = {sizeof(T),
                                             alignment_of<T>(),
                                             [](void* v) noexcept { static_cast<T*>(v)->~T(); },
                                             default_constructor<T>(),
                                             wire_of<T>(),
                                             reply_type_of<T>(),
                                             priority_of<T>(),
                                             request<T>,
                                             std::is_trivially_copyable_v<T>};

template <class T>
constexpr const value_type* reply_type_of() {
  if constexpr (request<T>) {
    if constexpr (!std::is_void_v<reply_of<T>>) return &value_type_of<reply_of<T>>;
  }
  return nullptr;
}

enum class letter_kind : std::uint8_t {
  message,
  waiting,       // a message that waits for room; its receipt tells the sender
  waiting_here,  // the same, of a sender of the same worker, whom nothing else need tell
  receipt,
  control,
};

struct letter {
  explicit letter(letter_kind k) noexcept : kind(k) {}
  letter* next = nullptr;
  std::uint32_t generation =
      0;  // the addressee's, checked by its home worker: a stale letter never reaches a new actor
  letter_kind kind;
};

struct receipt : letter {
  receipt() noexcept : letter(letter_kind::receipt) {}

  actor_core* to = nullptr;           // local waiter; null when a peer node asks
  peer_node* peer = nullptr;          // the asking node
  std::uint64_t ticket = 0;           // the waiter's operation, or the peer's correlation
  const value_type* value = nullptr;  // of the reply; null: none
  error outcome = errc::ok;
  std::uint32_t block = 0;  // bytes allocated
  bool has_value = false;
  std::atomic<std::int32_t> stage{0};  // of the request (ask_stage); relaxed: a word for an error message
  receipt_state state;
  instant deadline{};                  // of the request; zero: none. Past it, the request is not started
  std::atomic<bool> handed_on{false};  // in a replier; relaxed (wait_cycles.hpp)

  void* storage() noexcept;
};

/// Null: there is no memory for it.
receipt* make_receipt(const value_type* reply) noexcept;
void destroy(receipt* r) noexcept;

/// The credit that a message from another node holds until it is taken.
struct credit_note {
  peer_node* from = nullptr;
  std::uint32_t link = 0;  // which of the sessions with that peer, counted from 1
  std::uint32_t stream = 0;
  std::uint32_t destination = 0;
  std::uint32_t bytes = 0;
};

/// How a message counts against its mailbox's limits.
enum class charge : std::uint8_t {
  none,   // not yet, or not at all: a link's credit bounds it, or it is a DOWN with its own reserve
  inlet,  // on its way, since it was reserved
  queue,  // in its lane
};

/// When a message came into its mailbox, in steps of a millisecond (2^20 ns): ages of up to seven weeks.
inline std::uint32_t coarse_stamp(instant t) noexcept {
  return static_cast<std::uint32_t>(t.time_since_epoch().count() >> 20);
}
inline duration age_of(std::uint32_t stamp, instant now) noexcept {
  return duration(std::int64_t{coarse_stamp(now) - stamp} << 20);
}

/// A message in its block: envelope, then the message at `offset`. With a message of eight bytes it is 48 bytes, in one line
/// of cache.
struct envelope : letter {
  envelope() noexcept : letter(letter_kind::message) {}

  // These fill what the letter leaves of its last word.
  charge charged = charge::none;
  std::uint8_t offset = 0;
  bool by_link = false;  // a linked_envelope whose credit is yet to be given back, or which is being handled
  const value_type* type = nullptr;
  union {
    receipt* answer = nullptr;  // request: where the reply goes; waiting: where "there was room" goes
    waiting_send* sender;       // waiting_here
  };
  std::uint32_t queued_at = 0;  // coarse_stamp
  std::uint32_t weight = 0;     // bytes that it takes in all: see weigh

  void* message() noexcept { return reinterpret_cast<std::byte*>(this) + offset; }
  std::size_t block() const noexcept { return offset + type->size; }  // bytes allocated
  /// Of the request; zero: none.
  instant deadline() const noexcept { return answer != nullptr ? answer->deadline : instant{}; }
  /// Null for messages of this process, and once it is given back.
  const credit_note* credit() const noexcept;
};

/// One that came from another node.
struct linked_envelope : envelope {
  credit_note note{};
};

inline const credit_note* envelope::credit() const noexcept {
  return by_link ? &static_cast<const linked_envelope*>(this)->note : nullptr;
}

/// An envelope with uninitialised room for a `type`. Null: there is no memory for it.
envelope* allocate_envelope(const value_type& type) noexcept;
linked_envelope* allocate_linked_envelope(const value_type& type) noexcept;
/// A request with the receipt that its reply needs. Null, and the request is gone: there is no memory for it, or there is
/// no request.
envelope* with_receipt(envelope* e, const value_type* reply) noexcept;
/// Sets the weight of a message made here: its block, and what the encoding of what it owns would take.
void weigh(envelope& e) noexcept;
/// Frees the block of an envelope whose message was never constructed or is destroyed already.
inline void release_envelope(envelope* e) noexcept { pool_release(e, e->block()); }
/// Frees a message that was taken or dropped, and carries no receipt (any more).
void finish(envelope* e) noexcept;
/// The same of a message whose type the caller knows.
template <class M>
void finish_as(envelope* e) noexcept {
  static_cast<M*>(e->message())->~M();
  pool_release(e, e->offset + sizeof(M));
}
/// Destroys message and envelope; an unanswered request is answered with `why`.
void discard(envelope* e, error why) noexcept;

/// As allocate_envelope, if this worker has a block at hand.
template <class M>
envelope* envelope_at_hand() noexcept {
#ifndef TROUPE_SIM_CHECKED  // in which any allocation may fail: checked.hpp
  constexpr std::size_t offset = (sizeof(envelope) + alignof(M) - 1) & ~(alignof(M) - 1);
  constexpr std::size_t bytes = offset + sizeof(M);
  if constexpr (pool_cache::takes(bytes)) {
    worker* const here = current_worker;
    void* const memory = here != nullptr ? here->pool().at_hand(bytes) : nullptr;
    if (memory == nullptr) return nullptr;
    auto* const e = ::new (memory) envelope;
    e->type = &value_type_of<M>;
    e->offset = static_cast<std::uint8_t>(offset);
    e->weight = static_cast<std::uint32_t>(bytes);
    return e;
  }
#endif
  return nullptr;
}

/// Null: there is no memory for it. What `build` throws comes through.
template <class M, class Build>
envelope* make_envelope(Build&& build) {
  envelope* e = envelope_at_hand<M>();
  if (e == nullptr) e = allocate_envelope(value_type_of<M>);
  if (e == nullptr) return nullptr;
  try {
    ::new (e->message()) M(std::forward<Build>(build)());
  } catch (...) {
    release_envelope(e);
    throw;
  }
  return e;
}

}  // namespace troupe::detail
