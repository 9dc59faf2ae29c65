// expect: actor_parameter_is_a_pointer_reference_or_view<
// It would dangle: the actor outlives its spawner's variables.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;

troupe::actor run(troupe::self<account> me, std::string_view) {
  co_await me.serve([](deposit) {}, [](balance) { return std::int64_t{1}; });
}
