// expect: ok
// The legal spelling next to clock_has_no_now.
#include <troupe/env.hpp>

troupe::monotonic_clock::time_point when(troupe::env& world) { return world.now(); }
