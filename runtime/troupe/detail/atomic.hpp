// The atomics of the lock-free structures that are checked by a model checker. In a checked build (TROUPE_CHECKED) they
// are the explorer's (tests/explorer), which decides what each load sees; else they are the standard's.
//
// A light fence and a heavy one are together two seq_cst fences (P1202's asymmetric ones). The light fence only holds the
// compiler. The heavy one is time: it stands where so much has gone by that all processors have seen what the thread
// stored before, and the thread sees what they had stored by then: milliseconds, where a store buffer needs less than
// a microsecond. The explorer has no time, and takes either for a seq_cst fence.
#pragma once

#ifdef TROUPE_CHECKED
#include "explorer/atomic.hpp"

namespace troupe::detail {
template <class T>
using atomic = explorer::atomic<T>;
using explorer::fence;
inline void light_fence(const std::source_location& at = std::source_location::current()) {
  fence(std::memory_order_seq_cst, at);
}
inline void heavy_fence(const std::source_location& at = std::source_location::current()) {
  fence(std::memory_order_seq_cst, at);
}
}  // namespace troupe::detail
#else
#include <atomic>

namespace troupe::detail {
template <class T>
using atomic = std::atomic<T>;
inline void fence(std::memory_order o) noexcept { std::atomic_thread_fence(o); }
inline void light_fence() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }
inline void heavy_fence() noexcept {}
}  // namespace troupe::detail
#endif
