// Links across nodes: as at home, and the loss of the connection is a death; what a peer that goes away has left here
// goes too.
#include "peer_ties_kit.hpp"

#include <stdexcept>

#include "peers.hpp"

namespace remote_link_actors {

struct crash {
  std::string why;
};
struct leave {};
struct tie {
  using reply = void;
  troupe::ref<> to;
};
struct untie {
  using reply = void;
  troupe::ref<> from;
};
struct alive {
  using reply = int;
};
using tied = troupe::protocol<crash, leave, tie, untie, alive>;

}  // namespace remote_link_actors

using namespace test;
using namespace remote_link_actors;
using nothing = troupe::protocol<>;
using tied_ref = ref<tied>;

namespace {

actor run_tied(self<tied> me) {
  bool stays = true;
  while (stays && !me.stopping()) {
    (void)co_await me.receive([](const crash& c) { throw std::runtime_error(c.why); },
                              [&](leave) { stays = false; }, [&](const tie& t) { me.link(t.to); },
                              [&](const untie& u) { me.unlink(u.from); }, [](alive) { return 0; });
  }
}

actor run_watcher(self<troupe::down> me, ref<> whom, book log, shared_gate watching) {
  me.monitor(whom);
  watching->open();
  (void)co_await me.receive([&](const troupe::down& d) {
    log->add(std::string(to_string(d.reason.kind)) + (d.reason.text.empty() ? "" : ": " + d.reason.text));
  });
}
book watch(troupe::node& at, const ref<>& whom) {
  const auto log = new_book();
  const auto watching = std::make_shared<gate>();
  at.spawn(run_watcher, whom, log, watching);
  REQUIRE(watching->wait());
  return log;
}

/// Two actors, one on each node, and how each sees the other.
struct far_pair {
  explicit far_pair(two_nodes& nodes)
      : front(nodes.front.spawn(run_tied)),
        back(nodes.back.spawn(run_tied)),
        front_from_back(seen_from(nodes.back, nodes.front, front)),
        back_from_front(seen_from(nodes.front, nodes.back, back)) {}

  /// The front one links itself, or the back one. The question to the other travels behind the link's note.
  void link(two_nodes& nodes, bool by_front) const {
    do_at(nodes, by_front, [](tied_ref mine, tied_ref far) -> troupe::task<void> {
      const ref<> to = far;
      const auto linked = co_await mine.ask<tie>(to).within(patience);
      expect(text_of(linked), "ok");
    });
  }
  void unlink(two_nodes& nodes, bool by_front) const {
    do_at(nodes, by_front, [](tied_ref mine, tied_ref far) -> troupe::task<void> {
      const ref<> from = far;
      const auto unlinked = co_await mine.ask<untie>(from).within(patience);
      expect(text_of(unlinked), "ok");
    });
  }

  tied_ref front;
  tied_ref back;
  tied_ref front_from_back;
  tied_ref back_from_front;

 private:
  template <class F>
  void do_at(two_nodes& nodes, bool by_front, F f) const {
    const tied_ref mine = by_front ? front : back;
    const tied_ref far = by_front ? back_from_front : front_from_back;
    play(by_front ? nodes.front : nodes.back,
         [&](self<nothing>&) -> troupe::task<void> { co_await f(mine, far); });
  }
};

void end(troupe::node& at, const tied_ref& who, const std::string& how) {
  if (how == "crash") CHECK(who.try_send<crash>("boom").has_value());
  if (how == "leave") CHECK(who.try_send<leave>().has_value());
  if (how == "stop") at.stop(who);
  if (how == "kill") at.kill(who);
}

void stop_both(two_nodes& nodes, const far_pair& p) {
  nodes.front.stop(p.front);
  nodes.back.stop(p.back);
}

}  // namespace

TEST_CASE("remote link: either end that dies takes the other with it") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    for (const bool by_front : {false, true}) {
      for (const bool front_dies : {false, true}) {
        for (const std::string way : {"crash", "kill"}) {
          const far_pair p(nodes);
          p.link(nodes, by_front);
          CHECK(
              eventually([&] { return ties_of_peers(nodes.front) == 1 && ties_of_peers(nodes.back) == 1; }));
          p.link(nodes, !by_front);
          const auto fate = front_dies ? watch(nodes.back, p.back) : watch(nodes.front, p.front);
          end(front_dies ? nodes.front : nodes.back, front_dies ? p.front : p.back, way);
          CHECK(fate->wait_for(1) == lines{way == "crash" ? "linked: failed: boom" : "linked: killed"});
          CHECK(eventually([&] { return ties_of_peers(nodes.front) + ties_of_peers(nodes.back) == 0; }));
        }
      }
    }
    nodes.finish();
  }
}

TEST_CASE("remote link: one that returns or is stopped leaves the other alone, and so does a link given up") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    for (const bool by_front : {false, true}) {
      for (const std::string way : {"leave", "stop", "unlink here", "unlink there"}) {
        const far_pair p(nodes);
        p.link(nodes, by_front);
        CHECK(eventually([&] { return ties_of_peers(nodes.front) == 1 && ties_of_peers(nodes.back) == 1; }));
        if (way == "unlink here") p.unlink(nodes, by_front);
        if (way == "unlink there") p.unlink(nodes, !by_front);
        if (way == "leave" || way == "stop") end(nodes.back, p.back, way);
        CHECK(eventually([&] { return ties_of_peers(nodes.front) + ties_of_peers(nodes.back) == 0; }));
        nodes.back.kill(p.back);
        CHECK(p.front.blocking_ask<alive>(patience).has_value());
        stop_both(nodes, p);
      }
    }
    nodes.finish();
  }
}

TEST_CASE("remote link: with one that is dead already is death") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const far_pair p(nodes);
    nodes.back.kill(p.back);
    CHECK(eventually([&] { return nodes.back.live_actors() == 2; }));
    const auto fate = watch(nodes.front, p.front);
    p.link(nodes, true);
    CHECK(fate->wait_for(1) == lines{"linked: no such actor"});
    CHECK(ties_of_peers(nodes.front) + ties_of_peers(nodes.back) == 0);
    nodes.finish();
  }
}

TEST_CASE(
    "remote link: a peer sees nothing of a restart, neither its messages nor its links and monitors do") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    constexpr int crashes = 100;
    auto options = how.options("back");
    options.supervision = {troupe::strategy::one_for_one, crashes, 1h, {0ms, 0ms}};
    two_nodes nodes(how, how.options("front"), options);
    const auto lives = std::make_shared<std::atomic<int>>(0);
    const auto taken = std::make_shared<std::atomic<int>>(0);
    const auto fragile =
        nodes.back.spawn(on_worker(1),
                         troupe::restart_on_failure([](self<tied> me, std::shared_ptr<std::atomic<int>> born,
                                                       std::shared_ptr<std::atomic<int>> done) -> actor {
                           born->fetch_add(1);
                           co_await me.serve([](const crash& c) { throw std::runtime_error(c.why); },
                                             [](leave) {}, [](const tie&) {}, [](const untie&) {},
                                             [&](alive) { return done->fetch_add(1); });
                         }),
                         lives, taken);
    const auto far = seen_from(nodes.front, nodes.back, fragile);
    const auto companion = nodes.front.spawn(run_tied);
    const auto log = watch(nodes.front, far);
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const ref<> to = far;
      const auto linked = co_await companion.ask<tie>(to).within(patience);
      expect(text_of(linked), "ok");
      const std::string why(300, 'w');
      for (int i = 0; i < crashes; ++i) {
        (void)co_await far.send<crash>(why);
        const auto answered = co_await far.ask<alive>().within(patience);
        expect(std::to_string(answered ? *answered : -1), std::to_string(i));
      }
    });
    CHECK(lives->load() == crashes + 1);
    CHECK(log->all().empty());
    CHECK(companion.blocking_ask<alive>(patience).has_value());
    const auto fate = watch(nodes.front, companion);
    nodes.back.kill(fragile);
    CHECK(log->wait_for(1) == lines{"killed"});
    CHECK(fate->wait_for(1) == lines{"linked: killed"});
    nodes.finish();
  }
}

namespace {

/// A process with an actor called "tied"; it links itself with whatever it is told to.
void be_tied_node(const setting& how, const std::function<void(std::string)>& say) {
  troupe::node back = start_listening(how.options("back"));
  play(back, [&](self<nothing>& me) -> troupe::task<void> {
    const auto target = back.spawn(run_tied);
    (void)co_await me.node().publish("tied", target);
  });
  say(back.endpoints()[0]);
  stay();
}

}  // namespace

TEST_CASE(
    "remote link: the loss of the connection kills both the one that linked and the one that was linked") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    child_process peer([&](const auto& say) { be_tied_node(how, say); });
    troupe::node front = start(how.options("front"));
    join(front, peer.line());
    const auto linker = front.spawn(on_worker(0), run_tied);
    const auto linked = front.spawn(on_worker(1), run_tied);
    const auto unlinked = front.spawn(on_worker(1), run_tied);
    tied_ref far;
    play(front, [&](self<nothing>& me) -> troupe::task<void> {
      const auto found = co_await me.node().lookup<tied>("tied").within(patience);
      REQUIRE(found.has_value());
      far = *found;
      const ref<> to = far;
      const ref<> back_here = linked;
      const auto one = co_await linker.ask<tie>(to).within(patience);
      const auto other = co_await far.ask<tie>(back_here).within(patience);
      expect(text_of(one) + text_of(other), "okok");
    });
    const auto fate_of_linker = watch(front, linker);
    const auto fate_of_linked = watch(front, linked);
    CHECK(eventually([&] { return ties_of_peers(front) == 2; }));
    peer.kill();
    for (const auto& fate : {fate_of_linker, fate_of_linked}) {
      const lines said = fate->wait_for(1);
      REQUIRE(said.size() == 1);
      INFO(said[0]);
      CHECK((said[0].rfind("linked: died", 0) == 0 ||
             (how.tcp && said[0].rfind("linked: unreachable", 0) == 0)));
    }
    CHECK(unlinked.blocking_ask<alive>(patience).has_value());
    CHECK(ties_of_peers(front) == 0);

    CHECK(eventually([&] { return link_to(front, "back").lane == "none"; }));
    const auto late = watch(front, unlinked);
    play(front, [&](self<nothing>&) -> troupe::task<void> {
      const ref<> to = far;
      const auto one = co_await unlinked.ask<tie>(to).within(patience);
      expect(text_of(one), "ok");
    });
    CHECK(late->wait_for(1) == lines{"linked: unreachable: no link to its node"});
    settled(front);
    check_stops(front);
  }
}

TEST_CASE("remote link: peers that come, monitor and are lost leave no monitor behind") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    std::vector<std::unique_ptr<child_process>> peers;
    constexpr int visits = 10;
    // Each child waits for the address in its turn; forked before this process has threads.
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    for (int i = 0; i < visits; ++i) {
      peers.push_back(std::make_unique<child_process>([&, i](const auto& say) {
        std::array<char, 64> url{};
        (void)!::read(ends[0], url.data(), url.size());
        troupe::node visitor = start(how.options("visitor-" + std::to_string(i)));
        join(visitor, url.data());
        play<troupe::down>(visitor, [&](self<troupe::down>& me) -> troupe::task<void> {
          const auto found = co_await me.node().template lookup<tied>("lasting").within(patience);
          for (int n = 0; n < 100; ++n) me.monitor(*found);
          (void)co_await found->template ask<alive>().within(patience);
          say("watching");
          for (int n = 0; i % 2 == 0 && n < 30'000; ++n) me.monitor(*found);  // killed in the middle of it
          co_await me.sleep(1h);
        });
      }));
    }
    troupe::node back = start_listening(how.options("back"));
    const auto lasting = back.spawn(run_tied);
    play(back, [&](self<nothing>& me) -> troupe::task<void> {
      const auto published = co_await me.node().publish("lasting", lasting);
      expect(text_of(published), "ok");
    });
    for (int i = 0; i < visits; ++i) {
      std::string url = back.endpoints()[0];
      url.resize(64);
      REQUIRE(::write(ends[1], url.data(), url.size()) == 64);
    }
    for (const auto& peer : peers) REQUIRE(peer->line() == "watching");
    CHECK(ties_of_peers(back) == visits);
    for (const auto& peer : peers) peer->kill();
    CHECK(eventually([&] { return ties_of_peers(back) == 0; }));
    CHECK(lasting.blocking_ask<alive>(patience).has_value());
    ::close(ends[0]);
    ::close(ends[1]);
    settled(back);
    check_stops(back);
  }
}
