// The end of the process when an invariant is broken. Not through the log: its sink may be what broke.
#include <troupe/assert.hpp>

#include <cstdio>
#include <cstdlib>

namespace troupe::detail {

void assertion_failed(const char* condition, const char* advice, const char* file, int line) noexcept {
  std::fprintf(stderr, "troupe: %s:%d: assertion failed: %s: %s\n", file, line, condition, advice);
  std::abort();
}

}  // namespace troupe::detail
