// expect: an aggregate temporary with a non-trivial member is destroyed twice
// The same in send_after and every.
#include <troupe/troupe.hpp>

struct address {
  std::string street;
};
struct letter {
  address to;
};

troupe::actor run(troupe::self<letter> me) {
  (void)me.send_after<letter>(std::chrono::seconds(1), me.me(), address{"here"});
  co_await me.serve([](const letter&) {});
}
