// The atomics of the lock-free structures that are checked by a model checker. In a checked build (TROUPE_CHECKED) they
// are the explorer's (tests/explorer), which decides what each load sees; else they are the standard's.
#pragma once

#ifdef TROUPE_CHECKED
#include "explorer/atomic.hpp"

namespace troupe::detail {
template <class T>
using atomic = explorer::atomic<T>;
using explorer::fence;
}  // namespace troupe::detail
#else
#include <atomic>

namespace troupe::detail {
template <class T>
using atomic = std::atomic<T>;
inline void fence(std::memory_order o) noexcept { std::atomic_thread_fence(o); }
}  // namespace troupe::detail
#endif
