// expect: unused|nodiscard|ignoring
// A join that is not awaited links nothing.
#include <troupe/troupe.hpp>

void f(troupe::node& n) { n.join("tcp://127.0.0.1:4000"); }
