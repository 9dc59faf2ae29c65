// expect: unused|nodiscard|ignoring
// An ask with a deadline has to be awaited as well.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::ref<account> r) { r.ask<balance>().within(std::chrono::seconds(1)); }
