// expect: no_handler_for<deposit>
// receive needs every handler as well.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<account> me) {
  (void)co_await me.receive([](balance) { return std::int64_t{1}; });
}
