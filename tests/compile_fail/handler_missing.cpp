// expect: no_handler_for<balance>
// Every message of the protocol needs a handler.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<account> me) {
  co_await me.serve([](deposit) {});
}
