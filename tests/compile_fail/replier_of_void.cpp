// expect: reply
// A reply without a value takes none.
#include <troupe/troupe.hpp>

void f(troupe::replier<void> r) { r.reply(1); }
