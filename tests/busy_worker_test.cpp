// Sleeps and deadlines count from the moment of their co_await, however long their worker has computed before.
#include "actor_support.hpp"

#include <troupe/env.hpp>

using namespace test;

namespace {

struct compute {};
struct question {
  using reply = int;
};

void compute_for(troupe::duration d) {
  const troupe::instant end = troupe::os_env().now() + d;
  while (troupe::os_env().now() < end) {
  }
}
troupe::duration since(troupe::instant start) { return troupe::os_env().now() - start; }

}  // namespace

TEST_CASE("a busy worker: a sleep lasts as long as it says, whatever was computed before it") {
  host h(1);
  const auto log = new_book();
  h->spawn(
      [](self<troupe::protocol<>> me, book out) -> actor {
        compute_for(40ms);
        const troupe::instant start = troupe::os_env().now();
        co_await me.sleep(30ms);
        out->add(since(start) >= 30ms ? "slept" : "did not sleep");
      },
      log);
  CHECK(log->wait_for(1) == lines{"slept"});
  h.finish();
}

TEST_CASE("a busy worker: a deadline begins with the co_await") {
  host h(1);
  const auto log = new_book();
  const auto answers =
      h->spawn([](self<question> me) -> actor { co_await me.serve([](question) { return 1; }); });
  h->spawn(
      [](self<question> me, ref<question> whom, book out) -> actor {
        compute_for(40ms);
        const auto answer = co_await whom.ask<question>().within(5s);
        out->add(answer ? "answered" : answer.error().text());
        compute_for(40ms);
        const troupe::instant start = troupe::os_env().now();
        const auto nothing = co_await me.receive([](question) { return 0; }).within(30ms);
        out->add(!nothing && since(start) >= 30ms ? "waited" : "did not wait");
      },
      answers, log);
  CHECK(log->wait_for(2) == lines{"answered", "waited"});
  h.finish();
}

TEST_CASE("a busy worker: a request that waited in the queue for longer than its deadline is not started") {
  host h(1);
  const auto log = new_book();
  const auto busy =
      h->spawn([](self<compute> me) -> actor { co_await me.serve([](compute) { compute_for(60ms); }); });
  const auto answers = h->spawn(
      [](self<question> me, book out) -> actor {
        co_await me.serve([&](question) {
          out->add("started");
          return 1;
        });
      },
      log);
  h->spawn(
      [](self<troupe::protocol<>> me, ref<compute> first, ref<question> then, book out) -> actor {
        (void)me;
        must(static_cast<bool>(first.try_send<compute>()));
        const auto answer = co_await then.ask<question>().within(20ms);
        out->add(answer ? "answered" : "expired");
      },
      busy, answers, log);
  CHECK(log->wait_for(1) == lines{"expired"});
  h.finish();
  CHECK(log->all() == lines{"expired"});
  CHECK(h->accounting().undelivered[static_cast<std::size_t>(errc::expired)] == 1);
}
