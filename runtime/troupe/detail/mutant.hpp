// Planted faults, each of which the tests must find (docs/TESTING.md). In what is shipped there are none: mutated() is
// false before the program is built. The program troupe_mutants has its own copy of the sources that ask, compiled with
// TROUPE_MUTANTS, and switches one on.
#pragma once

#include <cstdint>

namespace troupe::detail {

enum class mutant : std::uint8_t {
  none,
  lost_wake_up,
  reversed_inlet,
  drop_message,
  forgotten_unknown,
  double_ack,
  kept_credit,
  deaf_to_link_loss,
  lost_down,
  same_generation,
  short_write,
  stalled_send,
  silent_doorbell,
  forgetful_restart,
  lost_slot,
  leaked_frame,
  kept_claim,
};

#ifdef TROUPE_MUTANTS
extern mutant active_mutant;
inline bool mutated(mutant m) noexcept { return active_mutant == m; }
#else
constexpr bool mutated(mutant) noexcept { return false; }
#endif

}  // namespace troupe::detail
