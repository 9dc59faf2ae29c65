// expect: message_cannot_be_encoded_so_it_is_local_only<hire>
// A message with a ref to a local-only actor is local-only itself: the ref never leaves.
#include <troupe/troupe.hpp>

struct job {
  std::function<void()> body;
};
struct hire {
  troupe::ref<job> who;
};
troupe::actor run(troupe::self<job> me) {
  co_await me.serve([](const job& j) { j.body(); });
}
inline constexpr troupe::kind<run> run_kind{"run"};

troupe::task<> f(troupe::node& n, troupe::ref<hire> r) { (void)co_await n.publish("x", r); }
