// expect: handler_answers_twice<balance>
// A handler that takes a replier answers with that, not with what it returns as well.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<account> me) {
  co_await me.serve([](const deposit&) {},
                    [](const balance&, troupe::replier<std::int64_t> reply) -> std::int64_t {
                      reply.reply(1);
                      return 2;
                    });
}
