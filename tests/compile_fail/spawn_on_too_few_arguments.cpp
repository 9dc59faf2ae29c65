// expect: spawn_on takes exactly the kind's arguments
// What is missing cannot be made up on the other node.
#include <troupe/troupe.hpp>

struct job {
  std::int64_t number;
};
troupe::actor run(troupe::self<job> me, std::int64_t first, std::string) {
  co_await me.serve([&](const job& j) { first += j.number; });
}
inline constexpr troupe::kind<run> run_kind{"run"};

troupe::task<> f(troupe::node& n) { (void)co_await n.spawn_on("x", run_kind, 7); }
