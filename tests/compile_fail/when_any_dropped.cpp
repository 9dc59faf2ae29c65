// expect: unused|nodiscard|ignoring
// A when_any that is not awaited starts nothing.
#include <troupe/troupe.hpp>

void f(std::vector<troupe::task<int>> tasks) { troupe::when_any(std::move(tasks)); }
