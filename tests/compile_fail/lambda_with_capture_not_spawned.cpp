// expect: an_actor_must_be_a_function_or_captureless_lambda<
// The definition alone is refused.
#include <troupe/troupe.hpp>

struct tick {};

void f() {
  int count = 0;
  auto counter = [&count](troupe::self<tick> me) -> troupe::actor {
    co_await me.serve([&](tick) { ++count; });
  };
  (void)counter;
}
