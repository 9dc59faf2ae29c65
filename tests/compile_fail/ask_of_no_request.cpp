// expect: use_send_because_this_is_no_request<deposit>
// ask needs a request.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::task<> f(troupe::ref<account> r) { (void)co_await r.ask<deposit>(1); }
