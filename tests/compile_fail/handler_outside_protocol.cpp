// expect: handler_for_a_message_outside_the_protocol<withdraw>
// A handler that no message can reach is a mistake: often the protocol lacks a message.
#include <troupe/troupe.hpp>

struct deposit {
  std::int64_t cents;
};
struct withdraw {
  std::int64_t cents;
};

troupe::actor run(troupe::self<deposit> me) {
  co_await me.serve([](deposit) {}, [](const withdraw&) {});
}
