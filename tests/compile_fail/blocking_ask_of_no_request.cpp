// expect: use_send_because_this_is_no_request<deposit>
// … and send.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::ref<account> r) { (void)r.blocking_ask<deposit>(std::chrono::seconds(1), 1); }
