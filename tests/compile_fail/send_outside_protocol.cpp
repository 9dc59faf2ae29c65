// expect: message_is_not_in_the_protocol_of_this_ref<balance>
// A message that the protocol lacks, sent.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::task<> f(troupe::ref<deposit> r) { co_await r.send<balance>(); }
