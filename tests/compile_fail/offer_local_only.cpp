// expect: message_cannot_be_encoded_so_it_is_local_only<job>
// A kind with such a message cannot be offered.
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

void f(troupe::node& n) { (void)n.offer(run_kind); }
