#include "burst.hpp"

#include <utility>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/checked.hpp>

namespace troupe::detail {
namespace {

#ifdef TROUPE_SIM_CHECKED  // whose runs send little
constexpr unsigned at_once = 2;
constexpr std::uint32_t chunk = 3;
#else
constexpr unsigned at_once = 64;
constexpr std::uint32_t chunk = 16;
#endif

bool is_small(const envelope& e) noexcept {
  return e.type->owns_nothing && e.type->lane == priority::normal && e.weight <= mailbox::heavy;
}

}  // namespace

bool burst::takes(actor_core& to, std::uint32_t generation, envelope& e) noexcept {
  if (&to != to_ || generation != generation_) {
    end();
    to_ = &to;
    generation_ = generation;
    singly_ = at_once;
  }
  if (singly_ != 0) {
    --singly_;
    return false;
  }
  if (held_ == 0 ? !begins(e) : !is_small(e)) {
    publish();
    return false;
  }
  to.accept(generation, e);
  e.next = std::exchange(latest_, &e);
  if (oldest_ == nullptr) oldest_ = &e;
  if (++held_ == chunk) publish();
  return true;
}

/// A chunk; or else the next go by themselves.
bool burst::begins(const envelope& e) noexcept {
  const bool does = is_small(e) && to_->has_room_for(generation_, 2 * chunk);
  if (!does) singly_ = chunk;
  return does;
}

void burst::publish() noexcept {
  if (held_ == 0) return;
  letter* const latest = std::exchange(latest_, nullptr);
  letter* const oldest = std::exchange(oldest_, nullptr);
  const std::uint32_t count = std::exchange(held_, 0);
  if (mutated(mutant::kept_burst) && count != chunk) return;
  to_->push(*latest, *oldest, count);
}

void burst::finish() noexcept {
  publish();
  to_ = nullptr;
}

}  // namespace troupe::detail
