// expect: an aggregate temporary with a non-trivial member is destroyed twice
// Start arguments are given or made as well.
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
void f(troupe::node& n) { n.spawn(run, page{"x"}); }
