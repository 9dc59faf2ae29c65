// A peer that names an actor yet to come: the next one in a slot whose last actor has not quite ended.
#include "remote_support.hpp"

namespace remote_forged {

struct word {
  std::string text;
};
struct number {
  int value;
};

}  // namespace remote_forged

using namespace test;
using namespace remote_forged;
using nothing = troupe::protocol<>;

namespace {

using flag = std::shared_ptr<std::atomic<bool>>;

actor run_slow_child(self<nothing> me, flag may_end) {
  co_await me.serve();
  while (!*may_end) co_await me.sleep(1ms);
}
actor run_parent(self<word> me, flag child_may_end) {
  me.spawn(run_slow_child, child_may_end);
  co_await me.serve([](const word&) {});
}
actor run_heir(self<number> me, book log) {
  co_await me.serve([&](const number& n) { log->add(std::to_string(n.value)); });
}

}  // namespace

TEST_CASE(
    "remote ref: what is sent to the next actor of a slot by the protocol of the last one never gets there") {
  for (const setting& how : {setting{false, 1}, setting{true, 1}}) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto child_may_end = std::make_shared<std::atomic<bool>>(false);
    const auto last = nodes.back.spawn(run_parent, child_may_end);
    auto next = troupe::detail::address_of(seen_from(nodes.front, nodes.back, last));
    ++next.generation;
    const auto forged = troupe::detail::ref_to<word>(next);
    const auto send = [&](const std::string& text) {
      play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
        const auto sent = co_await forged.send<word>(text);
        CHECK(text_of(sent) == "ok");
      });
      CHECK(eventually([&] { return nodes.front.accounting().pending == 0; }));
      settled(nodes.front);
      settled(nodes.back);
    };

    nodes.back.stop(last);
    CHECK(eventually([&] { return text_of(last.try_send<word>("")) == "no such actor"; }));
    send("while its children end");

    const auto log = new_book();
    ref<number> heir;
    play(nodes.back, [&](self<nothing>& me) -> troupe::task<void> {
      *child_may_end = true;
      while (nodes.back.live_actors() != 3) co_await me.sleep(1ms);  // the root, the announcer, this
      heir = nodes.back.spawn(run_heir, log);
    });
    const troupe::detail::address at = troupe::detail::address_of(heir);
    REQUIRE((at.slot == next.slot && at.generation == next.generation));
    send("to its heir");
    CHECK(text_of(heir.try_send<number>(1)) == "ok");
    CHECK(log->wait_for(1) == lines{"1"});
    nodes.back.stop(heir);
    nodes.finish();
  }
}
