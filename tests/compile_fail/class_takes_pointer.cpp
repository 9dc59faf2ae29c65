// expect: actor_parameter_is_a_pointer_reference_or_view<
// The arguments of a class are kept by its actor, as those of a function are.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

struct keeper {
  using accepts = deposit;
  explicit keeper(const int*) {}
  void on(const deposit&) {}
};

void f(troupe::node& n, const int* number) { n.spawn<keeper>(number); }
