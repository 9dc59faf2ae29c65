// expect: use_ask_because_this_is_a_request<balance>
// Threads ask, too.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::ref<account> r) { (void)r.blocking_send<balance>(std::chrono::seconds(1)); }
