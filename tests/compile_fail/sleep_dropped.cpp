// expect: unused|nodiscard|ignoring
// A sleep that is not awaited is none.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<deposit> me) {
  me.sleep(std::chrono::seconds(1));
  co_await me.serve([](const deposit&) {});
}
