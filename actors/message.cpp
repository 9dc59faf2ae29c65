#include <troupe/detail/message.hpp>

#include <algorithm>
#include <new>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/checked.hpp>
#include <troupe/send.hpp>

#include "delivery.hpp"
#include "node_core.hpp"

namespace troupe::detail {
namespace {

constexpr std::size_t aligned(std::size_t bytes, std::size_t alignment) noexcept {
  return (bytes + alignment - 1) & ~(alignment - 1);
}

}  // namespace

void* receipt::storage() noexcept {
  return reinterpret_cast<std::byte*>(this) + aligned(sizeof(receipt), value->alignment);
}

/// The memory of a message or of what waits for one: null when there is none.
static inline void* message_memory(std::size_t bytes) noexcept {
  if (allocation_fails()) return nullptr;
  try {
    return pool_allocate(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

receipt* make_receipt(const value_type* reply) noexcept {
  std::size_t bytes = sizeof(receipt);
  if (reply != nullptr) {
    bytes = aligned(bytes, reply->alignment) + reply->size;
  }
  void* const memory = message_memory(bytes);
  if (memory == nullptr) return nullptr;
  auto* const r = ::new (memory) receipt;
  r->value = reply;
  r->block = static_cast<std::uint32_t>(bytes);
  return r;
}

envelope* with_receipt(envelope* e, const value_type* reply) noexcept {
  if (e == nullptr) return nullptr;
  e->answer = make_receipt(reply);
  if (e->answer != nullptr) return e;
  finish(e);
  return nullptr;
}

void destroy(receipt* r) noexcept {
  if (r->has_value) r->value->destroy(r->storage());
  if (r->peer != nullptr) forget_request(*r->peer);
  const std::size_t bytes = r->block;
  r->~receipt();
  pool_release(r, bytes);
}

template <class Envelope>
static inline Envelope* allocate(const value_type& type) noexcept {
  const std::size_t offset = aligned(sizeof(Envelope), type.alignment);
  const std::size_t bytes = offset + type.size;
  void* const memory = message_memory(bytes);
  if (memory == nullptr) return nullptr;
  auto* const e = ::new (memory) Envelope;
  e->type = &type;
  e->offset = static_cast<std::uint8_t>(offset);
  e->weight = static_cast<std::uint32_t>(bytes);
  return e;
}

envelope* allocate_envelope(const value_type& type) noexcept { return allocate<envelope>(type); }

linked_envelope* allocate_linked_envelope(const value_type& type) noexcept {
  linked_envelope* const e = allocate<linked_envelope>(type);
  if (e != nullptr) e->by_link = true;
  return e;
}

void weigh(envelope& e) noexcept {
  if (e.type->owns_nothing || e.type->wire == nullptr) return;
  writer scale = writer::scale();
  e.type->wire->encode(scale, e.message());
  e.weight = static_cast<std::uint32_t>(std::min<std::size_t>(e.block() + scale.size(), UINT32_MAX));
}

static_assert(std::is_trivially_destructible_v<linked_envelope>);

void finish(envelope* e) noexcept {
  if (!e->type->owns_nothing) e->type->destroy(e->message());
  release_envelope(e);
}

void free_unsent(envelope* e) noexcept {
  if (e == nullptr) return;
  if (receipt* const r = std::exchange(e->answer, nullptr)) destroy(r);
  finish(e);
}

void discard(envelope* e, error why) noexcept {
  if (receipt* const r = std::exchange(e->answer, nullptr)) {
    r->outcome = why;
    send_home(r);
  }
  finish(e);
}

void refuse_waiting(envelope* e, error why) noexcept {
  if (e->kind != letter_kind::waiting_here) return discard(e, why);
  e->sender->end(why);
  finish(e);
}

receipt* take_receipt(envelope* e) noexcept { return std::exchange(e->answer, nullptr); }

receipt* hand_on(envelope* e) noexcept {
  receipt* const r = take_receipt(e);
  if (r != nullptr) r->handed_on.store(true, std::memory_order_relaxed);
  return r;
}

void answer_nothing(receipt* r) noexcept {
  r->outcome = errc::no_reply;
  send_home(r);
}

bool still_wanted(const receipt& r) noexcept { return !r.state.cancelled(); }

void answer_void(envelope* e) noexcept { discard(e, errc::ok); }
void answer_failure(envelope* e, error why) noexcept { discard(e, why); }

void send_home(receipt* r) noexcept {
  if (r->peer != nullptr) return answer_peer(r);
  actor_core& waiter = *r->to;
  if (waiter.at_home() && waiter.generation() == r->generation) return waiter.complete(r);
  waiter.push(*r);
}

}  // namespace troupe::detail
