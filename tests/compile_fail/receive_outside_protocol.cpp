// expect: message_is_not_in_the_protocol_of_this_actor<touch>
// An actor takes only what its mailbox accepts.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

struct touch {};

troupe::actor run(troupe::self<account> me) {
  const auto got = co_await me.receive<touch>();
  (void)got;
}
