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
  if (room_ != 0 && !is_small(e)) {
    publish();
    return false;
  }
  if (room_ == 0 && !reserve(e)) return false;
  --room_;
  to.enter(generation, e);
  e.next = std::exchange(latest_, &e);
  if (oldest_ == nullptr) oldest_ = &e;
  if (room_ == 0) publish();
  return true;
}

/// For a chunk; or else the next go by themselves.
bool burst::reserve(const envelope& e) noexcept {
  const bool reserved = is_small(e) && to_->reserve_chunk(generation_, chunk);
  (reserved ? room_ : singly_) = chunk;
  return reserved;
}

void burst::publish() noexcept {
  if (latest_ == nullptr) return;
  to_->push(*std::exchange(latest_, nullptr), *std::exchange(oldest_, nullptr));
}

void burst::finish() noexcept {
  if (mutated(mutant::kept_burst)) latest_ = oldest_ = nullptr;
  publish();
  if (room_ != 0) to_->unreserve(priority::normal, std::exchange(room_, 0));
  to_ = nullptr;
}

}  // namespace troupe::detail
