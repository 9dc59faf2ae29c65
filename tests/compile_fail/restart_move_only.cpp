// expect: a_restarting_actor_copies_its_start_arguments_but_not<
// Each life gets its own copy of the start arguments.
#include <memory>

#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};

troupe::actor run(troupe::self<deposit> me, std::unique_ptr<int>) {
  co_await me.serve([](deposit) {});
}

troupe::actor run_parent(troupe::self<deposit> me) {
  me.spawn(troupe::restart_on_failure(run), std::make_unique<int>(7));
  co_await me.serve([](deposit) {});
}
