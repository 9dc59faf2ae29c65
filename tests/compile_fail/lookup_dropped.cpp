// expect: unused|nodiscard|ignoring
// A lookup that is not awaited finds nothing.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::node& n) { n.lookup<deposit>("bank"); }
