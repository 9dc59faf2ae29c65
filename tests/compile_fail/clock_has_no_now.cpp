// expect: now
// Time is read through env::now() alone, so that a simulation decides it.
#include <troupe/env.hpp>

troupe::monotonic_clock::time_point when() { return troupe::monotonic_clock::now(); }
