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
struct attempt {
  using reply = std::string;  // what became of it
  troupe::ref<word> whom;
};
struct watch {
  using reply = std::string;
  troupe::ref<word> whom;
};
struct watched {
  using reply = std::string;  // how it ended
};
using helper = troupe::protocol<echo, tell, attempt, watch, watched, troupe::down>;

}  // namespace remote_ref

using namespace test;
using namespace remote_ref;
using nothing = troupe::protocol<>;

namespace {

actor run_reader(self<word> me, book log) {
  co_await me.serve([&](const word& w) { log->add(w.text); });
}

actor run_helper(self<helper> me) {
  std::optional<std::string> ended;
  std::optional<troupe::replier<std::string>> asker;
  co_await me.serve([](const echo& e) { return e.refs; },
                    [](const tell& t) -> troupe::task<std::string> {
                      const auto sent = co_await t.whom.send<word>(t.text);
                      co_return text_of(sent);
                    },
                    [](const attempt& a) { return text_of(a.whom.try_send<word>("tried")); },
                    [&](const watch& w) {
                      me.monitor(w.whom);
                      return std::string("ok");
                    },
                    [&](watched, troupe::replier<std::string> answer) {
                      asker = std::move(answer);
                      if (ended) asker->reply(*ended);
                    },
                    [&](const troupe::down& d) {
                      ended = std::string(to_string(d.reason.kind));
                      if (asker) asker->reply(*ended);
                    });
}

/// Front is linked with back and with a third node; these two meet when one uses a ref of the other's.
struct three_nodes {
  explicit three_nodes(const setting& how)
      : nodes(how, unmeshed(how, "front"), unmeshed(how, "back")),
        third(start_listening(unmeshed(how, "third"))) {
    join(nodes.front, third.endpoints()[0]);
    local = nodes.back.spawn(run_helper);
    far = seen_from(nodes.front, nodes.back, local);
    reader = third.spawn(run_reader, log);
    seen = seen_from(nodes.front, third, reader);
  }
  static troupe::node_options unmeshed(const setting& how, std::string name) {
    troupe::node_options o = how.options(std::move(name));
    o.mesh = 0;
    return o;
  }
  void finish() {
    third.stop(reader);
    settled(third);
    check_stops(third);
    nodes.back.stop(local);
    nodes.finish_linked_with_others();
  }

  two_nodes nodes;
  troupe::node third;
  book log = new_book();
  ref<helper> local, far;
  ref<word> reader, seen;
};

}  // namespace

TEST_CASE(
    "remote ref: a ref to a third node's actor keeps its identity, and its node is dialled at first use") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    three_nodes all(how);
    play(all.nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const std::vector<ref<word>> refs = {all.seen};
      const auto back = co_await all.far.ask<echo>(refs).within(patience);
      CHECK((back && back->at(0) == all.seen));
      const auto told = co_await all.far.ask<tell>(all.seen, "now").within(patience);
      CHECK((told && *told == "ok"));
    });
    CHECK(all.log->wait_for(1) == lines{"now"});
    CHECK(eventually([&] { return link_to(all.nodes.back, "third").lane == how.lane(); }));
    all.finish();
  }
}

TEST_CASE("remote ref: who monitors a third node's actor waits for the link, and hears of its end") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    three_nodes all(how);
    play(all.nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto watches = co_await all.far.ask<watch>(all.seen).within(patience);
      CHECK((watches && *watches == "ok"));
      const auto told = co_await all.far.ask<tell>(all.seen, "after the monitor").within(patience);
      CHECK((told && *told == "ok"));
    });
    CHECK(all.log->wait_for(1) == lines{"after the monitor"});
    CHECK(eventually([&] { return link_to(all.nodes.back, "third").lane == how.lane(); }));
    all.third.stop(all.reader);
    play(all.nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto ended = co_await all.far.ask<watched>().within(patience);
      CHECK((ended && *ended == "stopped"));
    });
    all.finish();
  }
}

TEST_CASE("remote ref: a third node that has gone is unreachable") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    three_nodes all(how);
    play(all.nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const std::vector<ref<word>> refs = {all.seen};
      const auto back = co_await all.far.ask<echo>(refs).within(patience);
      CHECK(back.has_value());
    });
    all.third.stop();
    CHECK(eventually([&] { return link_to(all.nodes.front, "third").lane == "none"; }));
    play(all.nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto told = co_await all.far.ask<tell>(all.seen, "too late").within(patience);
      CHECK((told && *told == "unreachable"));
      const auto tried = co_await all.far.ask<attempt>(all.seen).within(patience);
      CHECK((tried && *tried == "full"));  // its introducer is asked again
    });
    all.nodes.back.stop(all.local);
    all.nodes.finish_linked_with_others();
  }
}
