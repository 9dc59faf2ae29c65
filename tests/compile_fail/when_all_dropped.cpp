// expect: unused|nodiscard|ignoring
// A when_all that is not awaited starts nothing.
#include <troupe/troupe.hpp>

void f(std::vector<troupe::task<int>> tasks) { troupe::when_all(std::move(tasks)); }
