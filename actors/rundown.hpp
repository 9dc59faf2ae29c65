// Run-down of what many use: it ends when nobody uses it any more, and nobody new begins.
//
// A Dekker handshake between `inside_` and `begun_`. Whoever comes counts itself and then looks whether the end has begun;
// the one that ends it says so and then looks who is inside. All of these are seq_cst, so at least one of the two
// sees the other: either who came leaves again, or the end waits for it. Leaving is the same handshake: either
// who leaves finds that somebody waits, or the one that waits finds it gone.
//
// | operation | who         | synchronisation                                                        |
// | enter     | any thread  | seq_cst, before begun                                                  |
// | leave     | any thread  | seq_cst, before begun; release to inside: what was done inside is over |
// | begin     | who ends it | seq_cst, before inside; release to begun: what was written before it   |
// | begun     | any thread  | seq_cst                                                                |
// | inside    | any thread  | seq_cst                                                                |
#pragma once

#include <cstdint>

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class rundown {
 public:
  /// How many were inside before. Whoever finds begun() after it may not stay.
  std::uint64_t enter() noexcept { return inside_.fetch_add(1, std::memory_order_seq_cst); }
  /// True: tell the one that waits.
  bool leave() noexcept {
    inside_.fetch_sub(1, std::memory_order_seq_cst);
    return begun();
  }
  /// The end: who is inside may leave in peace.
  void begin() noexcept { begun_.store(true, std::memory_order_seq_cst); }
  bool begun() const noexcept { return begun_.load(std::memory_order_seq_cst); }
  std::uint64_t inside() const noexcept { return inside_.load(std::memory_order_seq_cst); }

 private:
  atomic<std::uint64_t> inside_{0};
  atomic<bool> begun_{false};
};

}  // namespace troupe::detail
