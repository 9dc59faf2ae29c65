// Supervision: an actor that fails starts again, in its place.
//
//   me.supervise({.most_restarts = 10, .within = 1min});
//   auto worker = me.spawn({.name = "worker"}, troupe::restart_on_failure(run_worker), 7);
//
// A restart calls the actor's function once more with the arguments it was spawned with. Its refs, its name, its
// mailbox and what lies in it, the monitors of it and its links stay; the message it failed on is gone, its own
// children have ended, and what it monitored is monitored no longer. To everybody else a restart is no end. Stop and
// kill make an end final, also of an actor that waits for its restart.
#pragma once

#include <chrono>
#include <cstdint>

#include <troupe/env.hpp>

namespace troupe {

/// Whom else a failure restarts. Their coroutines end where they wait, in reverse order of birth, and start in order
/// of birth; those of them that were spawned without a restart are stopped (the node's own children: left alone).
enum class strategy : std::uint8_t {
  one_for_one,   // nobody
  one_for_all,   // all siblings
  rest_for_one,  // the younger siblings
};

/// The pause before a restart: `first`, twice that for each restart that `within` remembers, at most `most`; then up
/// to a quarter more by chance, so that what failed together does not come back together.
struct backoff {
  duration first = std::chrono::milliseconds(10);
  duration most = std::chrono::seconds(10);
};

/// How an actor looks after those of its children that restart; these defaults hold without self.supervise. When they
/// fail more often than `most_restarts` within `within`, the one that failed last ends, and its parent fails with it;
/// of the node's own children only the child ends. Nonsense (`within` of nothing, `most` below `first`) is asserted.
struct supervision {
  troupe::strategy strategy = troupe::strategy::one_for_one;
  std::uint32_t most_restarts = 3;  // of all children together; at most 65536
  duration within = std::chrono::seconds(5);
  troupe::backoff backoff = {};
};

class actor;

namespace detail {

class actor_core;

/// Makes an actor's coroutine again and again, from the arguments that it was spawned with.
class rebirth {
 public:
  explicit rebirth(bool after_return) noexcept : always(after_return) {}
  rebirth(const rebirth&) = delete;
  rebirth& operator=(const rebirth&) = delete;
  virtual ~rebirth() = default;
  virtual actor start(actor_core& core) const = 0;

  const bool always;  // also when the coroutine has returned
};

template <class F>
struct restarting {
  F function;
  bool always;
};

void check(const supervision& policy) noexcept;
void supervise(actor_core& parent, const supervision& policy);

}  // namespace detail

/// To spawn: this actor restarts when an exception leaves it or a link ends it. Its start arguments are kept, and
/// copied for each life.
template <class F>
detail::restarting<F> restart_on_failure(F function) noexcept {
  return {function, false};
}
/// … and when it returns as well.
template <class F>
detail::restarting<F> restart_always(F function) noexcept {
  return {function, true};
}

}  // namespace troupe
