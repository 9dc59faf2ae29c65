// expect: void cancel\(\) noexcept
// A loser that cannot be cancelled would go on after the select.
#include <troupe/troupe.hpp>

troupe::task<> f() { (void)co_await troupe::select(std::suspend_always()); }
