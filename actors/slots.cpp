#include "slots.hpp"

#include <new>

#include <troupe/detail/checked.hpp>

#include "node_core.hpp"
#include "root.hpp"
#include "touch.hpp"

namespace troupe::detail {

slots::slots(node_core& node, rundown& actors, unsigned workers, std::uint32_t most_actors)
    : node_(node),
      actors_(actors),
      most_actors_(most_actors),
      shelves_(workers),
      chunks_(std::make_unique<atomic<actor_core*>[]>(most_chunks)) {}

slots::~slots() {
  const std::uint32_t made = count();
  for (std::uint32_t number = 0; number < made; ++number) find(number)->~actor_core();
  for (std::uint32_t c = 0; c * chunk_size < made; ++c) {
    ::operator delete(chunks_[c].load(std::memory_order_relaxed),
                      static_cast<std::align_val_t>(alignof(actor_core)));
  }
}

actor_core* slots::take(worker& home) {
  if (actors_.enter() >= most_actors_) {
    leave();
    return nullptr;
  }
  shelf& s = shelves_[home.index()];
  if (&home == current_worker) {
    if (s.own.empty()) {
      const std::lock_guard lock(guard_);
      s.own.swap(s.spare);
      if (s.own.empty() && !grow(home, s.own)) return nullptr;
    }
    actor_core* const slot = s.own.back();
    s.own.pop_back();
    return slot;
  }
  const std::lock_guard lock(guard_);
  if (s.spare.empty() && !grow(home, s.spare)) return nullptr;
  actor_core* const slot = s.spare.back();
  s.spare.pop_back();
  return slot;
}

void slots::give_back(actor_core& slot) noexcept {
  if (mutated(mutant::lost_slot) && slot.slot() != root_slot) return;
  if (slot.generation() != 0) {  // else it has wrapped: the slot retires
    shelf& s = shelves_[slot.home().index()];
    if (slot.at_home()) {
      s.own.push_back(&slot);
    } else {
      const std::lock_guard lock(guard_);
      s.spare.push_back(&slot);
    }
  }
  leave();
}

void slots::leave() noexcept {
  // Only the last tells: whoever stops the node waits for the root to be alone.
  if (actors_.leave() && actors_.inside() <= 1) node_.slot_left();
}

actor_core* slots::find(std::uint32_t number) const noexcept {
  if (number >= count()) return nullptr;
  return chunks_[number / chunk_size].load(std::memory_order_relaxed) + number % chunk_size;
}

// Under guard_.
bool slots::grow(worker& home, std::vector<actor_core*>& into) {
  const std::uint32_t first = count_.own();
  if (first / chunk_size >= most_chunks) {
    leave();
    return false;
  }
  auto* const chunk = static_cast<actor_core*>(
      ::operator new(sizeof(actor_core) * chunk_size, static_cast<std::align_val_t>(alignof(actor_core))));
  touch_soon(chunk, sizeof(actor_core) * chunk_size);
  into.reserve(into.size() + chunk_size);
  for (std::uint32_t i = 0; i < chunk_size; ++i) ::new (chunk + i) actor_core(node_, home, first + i);
  for (std::uint32_t i = chunk_size; i-- > 0;) into.push_back(chunk + i);
  chunks_[first / chunk_size].store(chunk, std::memory_order_relaxed);
  count_.store(first + chunk_size);  // publishes the chunk to find()
  return true;
}

}  // namespace troupe::detail
