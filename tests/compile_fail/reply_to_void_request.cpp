// expect: handler_does_not_return_the_reply_of<touch>
// A request with an empty reply is answered by returning.
#include <troupe/troupe.hpp>

struct touch {
  using reply = void;
};
troupe::actor run(troupe::self<touch> me) {
  co_await me.serve([](touch) { return 1; });
}
