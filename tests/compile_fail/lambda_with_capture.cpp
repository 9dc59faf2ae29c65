// expect: an.actor.(is|must.be).a.function.or.(a.)?captureless.lambda
// A capture would die with the lambda: state is passed as arguments.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::node& n) {
  int count = 0;
  n.spawn([&count](troupe::self<account> me) -> troupe::actor {
    co_await me.serve([&](deposit) { ++count; }, [](balance) { return std::int64_t{1}; });
  });
}
