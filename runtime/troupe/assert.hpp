// Assertions for programmer errors. They stay on in every build: a broken invariant ends the process with
// the place, the condition and what to do about it, before it can corrupt anything.
#pragma once

namespace troupe::detail {

[[noreturn]] void assertion_failed(const char* condition, const char* advice, const char* file,
                                   int line) noexcept;

}  // namespace troupe::detail

/// TROUPE_ASSERT(condition, "what the caller did wrong and what to do instead")
#define TROUPE_ASSERT(condition, advice) \
  (static_cast<bool>(condition)          \
       ? static_cast<void>(0)            \
       : ::troupe::detail::assertion_failed(#condition, advice, __FILE__, __LINE__))
