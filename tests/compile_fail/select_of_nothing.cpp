// expect: select needs something to wait for
// A select of nothing would wait for ever.
#include <troupe/troupe.hpp>

troupe::task<> f() { (void)co_await troupe::select(); }
