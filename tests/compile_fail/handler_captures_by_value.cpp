// expect: handlers must be trivially destructible
// GCC 12 would destroy the capture twice.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<account> me, std::string name) {
  co_await me.serve([name](deposit) {}, [](balance) { return std::int64_t{1}; });
}
