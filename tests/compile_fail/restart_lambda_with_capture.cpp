// expect: an.actor.(is|must.be).a.function.or.(a.)?captureless.lambda
// An actor that restarts is as captureless as any other.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::node& n, std::int64_t cents) {
  n.spawn(troupe::restart_on_failure([cents](troupe::self<deposit> me) -> troupe::actor {
    co_await me.serve([&](const deposit& d) { (void)(d.cents + cents); });
  }));
}
