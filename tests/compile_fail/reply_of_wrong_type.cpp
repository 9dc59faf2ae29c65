// expect: handler_does_not_return_the_reply_of<balance>
// A handler returns what its request is answered with.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<account> me) {
  co_await me.serve([](deposit) {}, [](balance) { return std::string("much"); });
}
