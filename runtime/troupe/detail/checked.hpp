// What only the checked build of a simulation has: planted faults, which it must find, marks at the stores to shared
// memory, before which a simulated process may die, and at the allocation of messages, which may fail. In what is shipped
// all of them are nothing: mutated() is false before the program is built. The program troupe_checked_seeds has its own copy of the sources that include this, compiled with
// TROUPE_SIM_CHECKED; so this is for sources, and for headers that only such sources include.
#pragma once

#include <cstdint>

namespace troupe::detail {

enum class mutant : std::uint8_t {
  none,
  lost_wake_up,
  reversed_inlet,
  drop_message,
  swallow,
  forgotten_unknown,
  double_ack,
  kept_credit,
  deaf_to_link_loss,
  lost_down,
  same_generation,
  short_write,
  stalled_send,
  silent_doorbell,
  early_publish,
  forgetful_restart,
  no_restart,
  wrong_reason,
  lost_reply,
  lost_slot,
  leaked_frame,
  kept_claim,
  deaf_bound,
  deaf_budget,
  early_credit,
  lazy_sync,
  forgetful_move,
  kept_burst,
  lost_chunk,
  no_dedup,
  no_trim,
  lazy_trim,
  early_trim,
  lost_kept,
  lost_unsent,
  kept_part,
  greedy_resume,
  deaf_resume,
  unheard_gone,
  kept_connection,
  eager_move,
  deaf_memory,
};

#ifdef TROUPE_SIM_CHECKED
extern mutant active_mutant;
inline bool mutated(mutant m) noexcept { return active_mutant == m; }
namespace simulated {  // by other names than what is shipped, which a program may have beside them
/// This worker is about to store to memory that another process sees.
void store_comes() noexcept;
/// Whether this allocation of a message's memory is to fail.
bool allocation_fails() noexcept;
}  // namespace simulated
using simulated::allocation_fails;
using simulated::store_comes;
#else
constexpr bool mutated(mutant) noexcept { return false; }
constexpr void store_comes() noexcept {}
constexpr bool allocation_fails() noexcept { return false; }
#endif

}  // namespace troupe::detail
