// expect: message_is_not_in_the_protocol_of_this_ref<deposit>
// A message that the protocol lacks, from a thread.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

void f(troupe::ref<balance> r) { (void)r.blocking_send<deposit>(std::chrono::seconds(1), 1); }
