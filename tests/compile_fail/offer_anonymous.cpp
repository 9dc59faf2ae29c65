// expect: message_in_an_anonymous_namespace_cannot_travel<.*secret>
// The same for kinds.
#include <troupe/troupe.hpp>

namespace {
struct secret {
  int value;
};
}  // namespace
troupe::actor run(troupe::self<secret> me) {
  co_await me.serve([](secret) {});
}
inline constexpr troupe::kind<run> run_kind{"run"};

void f(troupe::node& n) { (void)n.offer(run_kind); }
