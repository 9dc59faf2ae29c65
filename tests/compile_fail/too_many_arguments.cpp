// expect: more arguments than the message has fields
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::ref<account> r) { (void)r.try_send<deposit>(1, 2); }
