// expect: unused|nodiscard|ignoring
// A task that is not awaited does nothing.
#include <troupe/troupe.hpp>

troupe::task<> work() { co_return; }
void f() { work(); }
