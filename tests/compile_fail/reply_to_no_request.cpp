// expect: handler_returns_a_value_but_this_is_no_request<deposit>
// Nobody would get the value.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<account> me) {
  co_await me.serve([](deposit d) { return d.cents; }, [](balance) { return std::int64_t{1}; });
}
