// expect: an aggregate temporary with a non-trivial member is destroyed twice
// GCC 12 would destroy the page twice.
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

troupe::task<> f(troupe::ref<desk> r) { co_await r.send<letter>(page{"x"}); }
