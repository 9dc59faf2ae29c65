// expect: to_monitor_add_troupe_down_to_the_protocol_of<
// The watcher must be able to take the news.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<deposit> me, troupe::ref<> whom) {
  me.monitor(whom);
  co_await me.serve([](deposit) {});
}
