#include <troupe/detail/timer_wheel.hpp>

#include <algorithm>
#include <bit>

#include <troupe/assert.hpp>

namespace troupe::detail {
namespace {

constexpr std::uint64_t tick_at_or_after(instant t) noexcept {
  const auto ns = t.time_since_epoch().count();
  if (ns <= 0) return 0;
  constexpr std::uint64_t round = (std::uint64_t{1} << timer_wheel::tick_bits) - 1;
  constexpr auto last =
      static_cast<std::uint64_t>(instant::max().time_since_epoch().count());  // the end of time
  return std::min(static_cast<std::uint64_t>(ns) + round, last) >> timer_wheel::tick_bits;
}

constexpr std::uint64_t tick_before(instant t) noexcept {
  const auto ns = t.time_since_epoch().count();
  return ns <= 0 ? 0 : static_cast<std::uint64_t>(ns) >> timer_wheel::tick_bits;
}

}  // namespace

timer_wheel::~timer_wheel() { TROUPE_ASSERT(armed_ == 0, "destroy or cancel every timer before its worker"); }

void timer_wheel::arm(timer& t, instant due) noexcept {
  if (t.wheel_ != nullptr) cancel(t);
  t.wheel_ = this;
  t.due_tick_ = tick_at_or_after(due);
  if (t.due_tick_ <= now_tick_) t.due_tick_ = now_tick_ + 1;  // never in the slot that fires right now
  insert(t);
  ++armed_;
}

void timer_wheel::cancel(timer& t) noexcept {
  if (t.wheel_ == nullptr) return;
  unlink(t);
  t.wheel_ = nullptr;
  --armed_;
}

// A timer sits at the level of the highest six-bit digit in which its due tick differs from now, in the slot
// of that digit: then every timer of a lower level is due before every timer of a higher one.
void timer_wheel::insert(timer& t) noexcept {
  const std::uint64_t differs = t.due_tick_ ^ now_tick_;
  const unsigned level =
      differs == 0 ? 0 : (63u - static_cast<unsigned>(std::countl_zero(differs))) / slot_bits;
  const auto index = static_cast<unsigned>((t.due_tick_ >> (level * slot_bits)) & (slots - 1));
  timer*& head = wheel_[level][index];
  t.slot_ = static_cast<std::uint16_t>(level * slots + index);
  t.next_ = head;
  t.link_ = &head;
  if (head != nullptr) head->link_ = &t.next_;
  head = &t;
  occupied_[level] |= std::uint64_t{1} << index;
}

void timer_wheel::unlink(timer& t) noexcept {
  *t.link_ = t.next_;
  if (t.next_ != nullptr) t.next_->link_ = t.link_;
  const unsigned level = t.slot_ / slots;
  const unsigned index = t.slot_ % slots;
  if (wheel_[level][index] == nullptr) occupied_[level] &= ~(std::uint64_t{1} << index);
}

// Spreads the slot of `level` that now_tick_ has reached over the levels below.
void timer_wheel::cascade(unsigned level) noexcept {
  const auto index = static_cast<unsigned>((now_tick_ >> (level * slot_bits)) & (slots - 1));
  while (timer* const t = wheel_[level][index]) {
    unlink(*t);
    insert(*t);
  }
}

void timer_wheel::advance(instant now) noexcept {
  const std::uint64_t target = tick_before(now);
  while (armed_ != 0) {
    const auto next = next_tick();
    if (!next || *next > target) break;
    now_tick_ = *next;
    for (unsigned level = levels; level-- > 1;) cascade(level);
    timer*& slot = wheel_[0][now_tick_ & (slots - 1)];
    while (timer* const t = slot) {
      cancel(*t);
      t->on_fire_(*t);
    }
  }
  now_tick_ = std::max(now_tick_, target);  // every slot that began until then has been emptied
}

// The tick at which something happens next: a timer of level 0, or the start of the first occupied slot of
// the lowest occupied level (where its timers cascade).
std::optional<std::uint64_t> timer_wheel::next_tick() const noexcept {
  for (unsigned level = 0; level < levels; ++level) {
    if (occupied_[level] == 0) continue;
    const unsigned shift = level * slot_bits;
    const auto digit = static_cast<unsigned>((now_tick_ >> shift) & (slots - 1));
    const std::uint64_t ahead = occupied_[level] & (~std::uint64_t{0} << digit);
    const auto index = static_cast<std::uint64_t>(std::countr_zero(ahead != 0 ? ahead : occupied_[level]));
    const std::uint64_t above =
        shift + slot_bits >= 64 ? 0 : now_tick_ >> (shift + slot_bits) << (shift + slot_bits);
    return above + (index << shift);
  }
  return std::nullopt;
}

std::optional<instant> timer_wheel::next_due() const noexcept {
  const auto tick = next_tick();
  if (!tick) return std::nullopt;
  return instant(duration(static_cast<duration::rep>(*tick << tick_bits)));
}

}  // namespace troupe::detail
