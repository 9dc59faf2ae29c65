// expect: message_is_not_in_the_protocol_of_this_ref<balance>
// Threads may not ask more of a ref than actors.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::ref<deposit> r) { (void)r.blocking_ask<balance>(std::chrono::seconds(1)); }
