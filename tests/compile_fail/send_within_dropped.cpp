// expect: unused|nodiscard|ignoring
// … and so has a send.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::ref<account> r) { r.send<deposit>(1).within(std::chrono::seconds(1)); }
