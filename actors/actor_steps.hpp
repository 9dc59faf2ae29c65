// What happens to an actor at every message, inline: for the sources that bring it messages (actor_core.cpp) and run it
// (actor_run.cpp).
#pragma once

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/checked.hpp>

#include "node_core.hpp"

namespace troupe::detail {

inline worker_state& actor_core::state(const worker& home) noexcept {
  return *static_cast<worker_state*>(home.owner);
}
inline worker_state& actor_core::state() const noexcept { return state(home()); }

inline void actor_core::hold(std::int64_t bytes) noexcept {
  if (state().held.add(bytes)) node_->tell_of_room();
}

/// There may be something for its receiver, for this run or the next.
inline void actor_core::wake(worker& here) noexcept {
  if (here.running == this) {
    again_ = true;
  } else {
    here.schedule(*this);
  }
}
inline void actor_core::wake() noexcept { wake(home()); }

/// Sorts in what has come, up to the moment when something comes by express: false, and it is sorted in, the rest is not.
inline bool actor_core::look() noexcept {
  if (intake_.empty()) return true;
  const bool all = intake_.look([this](letter* l) { sort_in(l); }, mutated(mutant::reversed_inlet));
  if (!all) plain_ = false;
  return all;
}

}  // namespace troupe::detail
