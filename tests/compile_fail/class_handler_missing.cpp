// expect: no_handler_for<balance>
// A class has an on() for each message that it accepts.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

struct half {
  using accepts = account;
  void on(const deposit&) {}
};

void f(troupe::node& n) { n.spawn<half>(); }
