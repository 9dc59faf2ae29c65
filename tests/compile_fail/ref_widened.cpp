// expect: ref<(account|troupe::protocol<deposit, balance> ?)>
// A ref does not convert to one that promises more.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::ref<account> f(troupe::ref<deposit> r) { return r; }
