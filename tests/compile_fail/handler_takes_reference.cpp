// expect: no_handler_for<deposit>
// A message is moved into its handler; there is nothing to write back to.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<deposit> me) {
  co_await me.serve([](deposit& d) { ++d.cents; });
}
