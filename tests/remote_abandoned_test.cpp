// Requests of a node that has gone are wanted no more: what works on one is destroyed, what is queued is not started.
#include "remote_support.hpp"

namespace remote_abandoned {

struct work {
  using reply = int;
};

}  // namespace remote_abandoned

using namespace test;
using namespace remote_abandoned;
using nothing = troupe::protocol<>;

namespace {

/// One at a time; says what becomes of each.
actor run_worker(self<work> me, book log) {
  struct last_words {
    book out;
    ~last_words() { out->add("destroyed"); }
  };
  co_await me.serve([&](work) -> troupe::task<int> {
    const last_words words{log};
    log->add("begun");
    co_await me.sleep(1h);
    co_return 1;
  });
}

actor run_asker(self<nothing> me, ref<work> whom) {
  (void)me;
  (void)co_await whom.ask<work>().within(1h);
}

std::uint64_t queued(troupe::node& n) {
  std::uint64_t sum = 0;
  for (const troupe::actor_info& a : n.inspect().actors) sum += a.mailbox;
  return sum;
}

}  // namespace

TEST_CASE(
    "remote ask: when the asking process dies its request is cancelled, and those in the queue are not "
    "started") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    child_process peer([&](auto say) {
      troupe::node front = start_listening(how.options("front"));
      say(front.endpoints()[0]);
      play(front, [&](self<nothing>& me) -> troupe::task<void> {
        const auto found = co_await me.node().lookup<work>("work").within(patience);
        if (!found) co_return;
        const ref<work> whom = *found;
        for (int i = 0; i < 3; ++i) front.spawn(run_asker, whom);
      });
      stay();
    });
    troupe::node back = start(how.options("back"));
    const auto log = new_book();
    const auto busy = back.spawn(on_worker(how.workers - 1), run_worker, log);
    play(back, [&](self<nothing>& me) -> troupe::task<void> {
      const auto published = co_await me.node().publish("work", busy);
      REQUIRE(text_of(published) == "ok");
    });
    join(back, peer.line());
    CHECK(link_to(back, "front").lane == how.lane());
    REQUIRE(log->wait_for(1) == lines{"begun"});
    CHECK(eventually([&] { return queued(back) == 2; }));
    peer.kill();
    CHECK(log->wait_for(2) == lines{"begun", "destroyed"});
    CHECK(eventually(
        [&] { return back.accounting().undelivered[static_cast<std::size_t>(errc::expired)] == 2; }));
    settled(back);
    check_stops(back);
    CHECK(log->all() == lines{"begun", "destroyed"});
  }
}
