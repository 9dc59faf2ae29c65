// expect: unused|nodiscard|ignoring
// A publish that is not awaited tells nobody.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::node& n, troupe::ref<deposit> r) { n.publish("bank", r); }
