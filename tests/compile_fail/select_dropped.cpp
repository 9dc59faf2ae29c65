// expect: unused|nodiscard|ignoring
// A select that is not awaited waits for nothing.
#include <troupe/troupe.hpp>

void f(troupe::self<int>& self) { troupe::select(self.sleep(std::chrono::seconds(1))); }
