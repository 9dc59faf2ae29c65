// Timers of one worker: a hierarchical timer wheel (Varghese and Lauck, "Hashed and hierarchical timing
// wheels", 1987) with 64 slots a level and a bitmap of the occupied ones. Arm and cancel are O(1).
//
// Resolution is one tick of 2^16 ns (65.5 µs): a timer fires no earlier than it is due and at most one tick,
// plus the worker's turn, later. Not thread-safe: the worker's own thread only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <troupe/env.hpp>

namespace troupe::detail {

class timer_wheel;

/// Lives in its user; cancels itself on destruction.
class timer {
 public:
  using handler = void (*)(timer& self) noexcept;
  explicit timer(handler h) noexcept : on_fire_(h) {}
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;
  ~timer() { cancel(); }

  void cancel() noexcept;  // nothing if it is not armed
  bool armed() const noexcept { return wheel_ != nullptr; }

 private:
  friend class timer_wheel;
  handler on_fire_;
  timer_wheel* wheel_ = nullptr;
  timer* next_ = nullptr;
  timer** link_ = nullptr;  // the pointer that points at this timer
  std::uint64_t due_tick_ = 0;
  std::uint16_t slot_ = 0;  // level * 64 + index
};

class timer_wheel {
 public:
  static constexpr unsigned tick_bits = 16;
  static constexpr unsigned slot_bits = 6;
  static constexpr unsigned levels = 8;  // 2^(48+16) ns: every instant there is

  timer_wheel() noexcept = default;
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;
  ~timer_wheel();

  /// Arms `t`, or moves it if it is armed.
  void arm(timer& t, instant due) noexcept;
  void cancel(timer& t) noexcept;
  /// Fires every timer that is due at `now`. A handler may arm and cancel timers, its own too.
  void advance(instant now) noexcept;
  /// No timer fires before this; empty when none is armed.
  std::optional<instant> next_due() const noexcept;
  std::size_t size() const noexcept { return armed_; }

 private:
  static constexpr unsigned slots = 1u << slot_bits;

  void insert(timer& t) noexcept;
  void unlink(timer& t) noexcept;
  void cascade(unsigned level) noexcept;
  std::optional<std::uint64_t> next_tick() const noexcept;

  std::uint64_t now_tick_ = 0;
  std::size_t armed_ = 0;
  std::array<std::uint64_t, levels> occupied_{};
  std::array<std::array<timer*, slots>, levels> wheel_{};
};

inline void timer::cancel() noexcept {
  if (wheel_ != nullptr) wheel_->cancel(*this);
}

}  // namespace troupe::detail
