// Refs inside messages that go on to a third node.
#include "remote_support.hpp"

namespace remote_ref {

struct word {
  std::string text;
};
struct echo {
  using reply = std::vector<troupe::ref<word>>;
  std::vector<troupe::ref<word>> refs;
};
struct tell {
  using reply = std::string;  // what became of the word
  troupe::ref<word> whom;
  std::string text;
};
using helper = troupe::protocol<echo, tell>;

}  // namespace remote_ref

using namespace test;
using namespace remote_ref;
using nothing = troupe::protocol<>;

namespace {

actor run_reader(self<word> me, book log) {
  co_await me.serve([&](const word& w) { log->add(w.text); });
}

actor run_helper(self<helper> me) {
  co_await me.serve([](const echo& e) { return e.refs; },
                    [](const tell& t) -> troupe::task<std::string> {
                      const auto sent = co_await t.whom.send<word>(t.text);
                      co_return text_of(sent);
                    });
}

}  // namespace

TEST_CASE(
    "remote ref: a ref to a third node's actor keeps its identity and is unreachable until the nodes are "
    "linked") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto log = new_book();
    const auto local = nodes.back.spawn(run_helper);
    const auto far = seen_from(nodes.front, nodes.back, local);

    troupe::node third = start_listening(how.options("third"));
    join(nodes.front, third.endpoints()[0]);
    const auto reader = third.spawn(run_reader, log);
    const auto seen = seen_from(nodes.front, third, reader);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const std::vector<ref<word>> refs = {seen};
      const auto back = co_await far.ask<echo>(refs).within(patience);
      CHECK((back && back->at(0) == seen));
      const auto told = co_await far.ask<tell>(seen, "too early").within(patience);
      CHECK((told && *told == "unreachable"));
    });
    join(nodes.back, third.endpoints()[0]);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto told = co_await far.ask<tell>(seen, "now").within(patience);
      CHECK((told && *told == "ok"));
    });
    CHECK(log->wait_for(1) == lines{"now"});
    third.stop(reader);
    CHECK(eventually([&] { return third.live_actors() == 3; }));
    settled(third);
    check_stops(third);
    nodes.back.stop(local);
    nodes.finish_linked_with_others();
  }
}
