// expect: reply
// A replier takes what converts to the reply.
#include <troupe/troupe.hpp>

void f(troupe::replier<int> r) { r.reply(std::string("seven")); }
