// self: it belongs to its own actor, and says so.
#include "actor_support.hpp"

using namespace test;

namespace {

struct go {};

actor run_lends(self<go> me, std::shared_ptr<self<go>*> out, shared_gate lent) {
  *out = &me;
  lent->open();
  co_await me.serve([](go) {});
}

actor run_gives_away(self<go> me) {
  const self<go> other = std::move(me);
  co_await other.sleep(1us);
  me.stop();
}

actor run_forgets_send(self<go> me) {
  {
    [[maybe_unused]] auto forgotten = me.me().send<go>();
  }
  co_return;
}

struct question {
  using reply = int;
};
actor run_forgets_ask(self<question> me) {
  {
    [[maybe_unused]] auto forgotten = me.me().ask<question>();
  }
  co_return;
}

/// Starts the actor and waits until the process is dead.
template <class F>
death fate_of_actor(F f) {
  return fate_of([f] {
    host h(1);
    h->spawn(f);
    while (h->live_actors() > 1) (void)h->accounting();
  });
}

}  // namespace

TEST_CASE("self knows its actor, its node and whether it is to stop") {
  host h(1);
  const auto log = new_book();
  const auto a = h->spawn(
      [](self<go> me, book out) -> actor {
        out->add(me.node().name());
        out->add(me.stopping() ? "stopping" : "not stopping");
        (void)co_await me.me().send<go>();
        (void)co_await me.receive([&](go) { out->add("from myself"); });
        me.stop();
        out->add(me.stopping() ? "stopping" : "not stopping");
        out->add(text_of(me.me().try_send<go>()));
        const self<go> moved = std::move(me);
        out->add(moved.me() == ref<go>() ? "nobody" : "me");
      },
      log);
  CHECK(log->wait_for(6) == lines{h->name(), "not stopping", "from myself", "stopping", "stopped", "me"});
  CHECK(a);
  h.finish();
}

TEST_CASE("self used outside its actor ends the process") {
  const death d = fate_of([] {
    host h(1);
    const auto out = std::make_shared<self<go>*>();
    const auto lent = std::make_shared<gate>();
    h->spawn(run_lends, out, lent);
    lent->wait();
    (*out)->stop();
  });
  CHECK(d.aborted);
  CHECK(d.said.find("use self only inside its own actor") != std::string::npos);
}

TEST_CASE("self that was moved from ends the process") {
  const death d = fate_of_actor(&run_gives_away);
  CHECK(d.aborted);
  CHECK(d.said.find("not after it was moved from") != std::string::npos);
}

TEST_CASE("a send or ask that is not awaited ends the process") {
  const death s = fate_of_actor(&run_forgets_send);
  CHECK(s.aborted);
  CHECK(s.said.find("write co_await ref.send") != std::string::npos);
  const death a = fate_of_actor(&run_forgets_ask);
  CHECK(a.aborted);
  CHECK(a.said.find("write co_await ref.ask") != std::string::npos);
}
