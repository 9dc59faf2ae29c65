// expect: replier
// A request is answered once.
#include <troupe/troupe.hpp>

troupe::replier<int> f(const troupe::replier<int>& r) { return r; }
