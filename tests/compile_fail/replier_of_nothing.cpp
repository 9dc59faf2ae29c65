// expect: reply
// A reply that has a value needs one.
#include <troupe/troupe.hpp>

void f(troupe::replier<int> r) { r.reply(); }
