// expect: message_cannot_be_encoded_so_it_is_local_only<job>
// A protocol with such a message stays in its process.
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

troupe::task<> f(troupe::node& n, troupe::ref<job> r) { (void)co_await n.publish("x", r); }
