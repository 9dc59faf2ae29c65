// expect: unused|nodiscard|ignoring
// A receive that is not awaited takes nothing.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<deposit> me) {
  me.receive([](const deposit&) {});
  co_await me.serve([](const deposit&) {});
}
