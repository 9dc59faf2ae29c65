// expect: self
// An actor has one self.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<deposit> me) {
  auto second = me;
  co_await second.serve([](const deposit&) {});
}
