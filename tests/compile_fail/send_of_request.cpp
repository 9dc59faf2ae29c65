// expect: use_ask_because_this_is_a_request<balance>
// A request is asked, not sent: its reply would be lost.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::task<> f(troupe::ref<account> r) { co_await r.send<balance>(); }
