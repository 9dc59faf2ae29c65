// That the API's spellings for temporaries in co_await expressions are safe on every compiler; tests/gcc12/ has the raw
// shapes that GCC 12 gets wrong.
#include "actor_support.hpp"

using namespace test;

namespace {

struct part {
  std::string text;
  tracked life = {};
};
struct message {
  std::string text;
  part inner;
  tracked life = {};
};
struct request {
  using reply = int;
  part inner;
};
using kinds_of_sends = troupe::protocol<message, request>;

part make_part() { return part{std::string(100, 'p')}; }

actor run_taker(self<kinds_of_sends> me) {
  co_await me.serve([](const message&) {},
                    [](const request& r) { return static_cast<int>(r.inner.text.size()); });
}

actor run_started(self<kinds_of_sends> me, part, tracked) {
  co_await me.serve([](const message&) {}, [](const request&) { return 1; });
}

/// Every spelling that the API offers for something that is not trivial.
actor run_spellings(self<kinds_of_sends> me, ref<kinds_of_sends> to, book log) {
  part named{std::string(100, 'n')};
  message whole{"whole", named};
  co_await to.send<message>("text", named);
  co_await to.send<message>(std::string(50, 'x'), named);
  co_await to.send<message>("text", troupe::make<part>("made", tracked()));
  co_await to.send<message>("text", troupe::give(named));
  co_await to.send<message>(whole);
  co_await to.send<message>(troupe::give(whole));
  part fresh = make_part();
  const auto size = co_await to.ask<request>(troupe::give(fresh)).within(10s);
  log->add(std::to_string(*size));
  const auto made = co_await to.ask<request>(troupe::make<part>("made"));
  log->add(std::to_string(*made));
  part argument = make_part();
  const auto child = me.spawn(run_started, troupe::give(argument), tracked());
  const auto one = co_await child.ask<request>(troupe::make<part>("x"));
  log->add(std::to_string(*one));
}

}  // namespace

TEST_CASE("every spelling of the API destroys once what it constructs once") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto taker = h->spawn(on_worker(0), run_taker);
    h->spawn(on_worker(1), run_spellings, taker, log);
    CHECK(log->wait_for(3) == lines{"100", "4", "1"});
    h.finish();
  }
}
