// expect: an aggregate temporary with a non-trivial member is destroyed twice
// … on other nodes, too.
#include <troupe/troupe.hpp>

struct page {
  std::string text;
};
struct letter {
  page first;
};
struct question {
  using reply = int;
  page first;
};
using desk = troupe::protocol<letter, question>;

troupe::actor run(troupe::self<letter> me, page) {
  co_await me.serve([](const letter&) {});
}
inline constexpr troupe::kind<run> run_kind{"run"};
troupe::task<> f(troupe::node& n) { (void)co_await n.spawn_on("x", run_kind, page{"x"}); }
