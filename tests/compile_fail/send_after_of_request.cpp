// expect: use_ask_because_this_is_a_request<balance>
// Nobody waits for the answer to a timed request.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<account> me) {
  (void)me.send_after<balance>(std::chrono::seconds(1), me.me());
  co_await me.serve([](const deposit&) {}, [](const balance&) { return 1; });
}
