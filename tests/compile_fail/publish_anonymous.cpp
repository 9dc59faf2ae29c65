// expect: message_in_an_anonymous_namespace_cannot_travel<.*secret>
// Another program may have another type of that name.
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

troupe::task<> f(troupe::node& n, troupe::ref<secret> r) { (void)co_await n.publish("x", r); }
