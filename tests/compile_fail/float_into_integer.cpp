// expect: a floating-point value does not go into an integer field
// Round it explicitly.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::ref<account> r) { (void)r.try_send<deposit>(1.5); }
