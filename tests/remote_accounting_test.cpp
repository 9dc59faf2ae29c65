// The books across nodes: every accepted message ends in one bucket of a surviving node, whatever the link does.
#include "remote_support.hpp"

namespace remote_accounting {

struct item {
  std::string bytes;
};
struct taken_so_far {
  using reply = std::uint64_t;
};
using sink = troupe::protocol<item, taken_so_far>;

}  // namespace remote_accounting

using namespace test;
using namespace remote_accounting;
using nothing = troupe::protocol<>;

namespace {

actor run_sink(self<sink> me) {
  std::uint64_t taken = 0;
  co_await me.serve([&](const item&) { ++taken; }, [&](taken_so_far) { return taken; });
}
/// Its mailbox fills, and nothing is ever taken.
actor run_deaf(self<sink> me) { co_await me.sleep(1h); }

constexpr std::size_t index_of(errc why) { return static_cast<std::size_t>(why); }

/// Sends until the link is gone; gives the number of sends that said ok.
playing keep_sending(troupe::node& from, ref<sink> to, unsigned worker,
                     std::atomic<std::uint64_t>& accepted) {
  return start_playing(
      from,
      [to, &accepted](self<nothing>&) -> troupe::task<void> {
        for (;;) {
          const auto sent = co_await to.send<item>("some bytes");
          if (!sent) {
            if (sent.error() != errc::unreachable) throw std::runtime_error(sent.error().text());
            co_return;
          }
          accepted.fetch_add(1);
        }
      },
      on_worker(worker));
}

}  // namespace

TEST_CASE("remote accounting: both sides agree on what went over") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto local = nodes.back.spawn(run_sink);
    const auto far = seen_from(nodes.front, nodes.back, local);
    settled(nodes.front);
    settled(nodes.back);
    const auto front_before = nodes.front.accounting();
    const auto back_before = nodes.back.accounting();
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      for (int i = 0; i < 1000; ++i) {
        const auto sent = co_await far.send<item>("some bytes");
        REQUIRE(text_of(sent) == "ok");
      }
      const auto taken = co_await far.ask<taken_so_far>().within(patience);
      CHECK((taken && *taken == 1000));
    });
    settled(nodes.front);
    settled(nodes.back);
    const auto front = nodes.front.accounting();
    const auto back = nodes.back.accounting();
    CHECK(front.accepted_local - front_before.accepted_local == 1001);
    CHECK(front.handed_over - front_before.handed_over == 1001);
    CHECK(back.accepted_inbound - back_before.accepted_inbound == 1001);
    CHECK(back.taken - back_before.taken == 1001);
    CHECK(back.undelivered_total() == 0);
    CHECK(front.refused == front_before.refused);
    nodes.back.stop(local);
    nodes.finish();
  }
}

TEST_CASE("remote accounting: what waits in a dead actor's mailbox becomes dead letters on its own node") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    for (const bool kill : {false, true}) {
      const auto local = nodes.back.spawn(run_deaf);
      const auto far = seen_from(nodes.front, nodes.back, local);
      play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
        for (int i = 0; i < 100; ++i) {
          const auto sent = co_await far.send<item>("x");
          REQUIRE(text_of(sent) == "ok");
        }
      });
      CHECK(eventually([&] { return nodes.back.accounting().pending == 100; }));
      CHECK(nodes.back.accounting().balanced());
      if (!kill) nodes.back.stop(local);  // it sleeps: its mailbox closes, and what came before stays
      nodes.back.kill(local);
      settled(nodes.back);
    }
    const auto books = nodes.back.accounting();
    CHECK(books.undelivered[index_of(errc::no_such_actor)] == 200);
    CHECK(nodes.back.dead_letters().size() == 64);
    CHECK(nodes.back.dead_letters()[0].message.find("remote_accounting::item") != std::string::npos);
    nodes.finish();
  }
}

TEST_CASE("remote accounting: nothing is lost when the peer stops under fire") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto far = seen_from(nodes.front, nodes.back, nodes.back.spawn(run_sink));
    std::atomic<std::uint64_t> accepted{0};
    std::vector<playing> senders;
    for (unsigned i = 0; i < 4; ++i) senders.push_back(keep_sending(nodes.front, far, i, accepted));
    CHECK(eventually([&] { return accepted.load() > 10'000; }));
    nodes.check_lane();
    CHECK(nodes.back.stop());
    for (playing& s : senders) s.finish();
    settled(nodes.front);
    const auto front = nodes.front.accounting();
    const auto back = nodes.back.accounting();
    INFO(front.text());
    INFO(back.text());
    CHECK(back.balanced());
    CHECK(back.pending == 0);
    CHECK(front.handed_over <= back.accepted_inbound);
    CHECK(front.handed_over + front.unknown >= back.accepted_inbound);
    CHECK(front.unknown == 0);  // it left with a goodbye
    check_stops(nodes.front);
  }
}

TEST_CASE("remote accounting: the sender stops under fire, and what it has sent is in the peer's books") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto local = nodes.back.spawn(run_sink);
    const auto far = seen_from(nodes.front, nodes.back, local);
    const auto log = new_book();
    for (unsigned i = 0; i < 4; ++i) {
      nodes.front.spawn(
          on_worker(i),
          [](self<nothing> me, ref<sink> to) -> actor {
            while (!me.stopping()) (void)co_await to.send<item>("some bytes");
          },
          far);
    }
    CHECK(eventually([&] { return nodes.front.accounting().accepted_local > 10'000; }));
    nodes.check_lane();
    CHECK(nodes.front.stop());
    settled(nodes.back);
    const auto front = nodes.front.accounting();
    const auto back = nodes.back.accounting();
    INFO(front.text());
    INFO(back.text());
    CHECK(front.balanced());
    CHECK(front.pending == 0);
    CHECK(front.unknown == 0);
    CHECK(front.handed_over == back.accepted_inbound);
    nodes.back.stop(local);
    CHECK(eventually([&] { return nodes.back.live_actors() == 1; }));
    check_stops(nodes.back);
  }
}

TEST_CASE("remote accounting: what a killed process had not acknowledged is unknown") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    child_process peer([&](auto say) {
      troupe::node back = start_listening(how.options("back"));
      play(back, [&](self<nothing>& me) -> troupe::task<void> {
        const auto open = back.spawn(run_sink);
        const auto deaf = back.spawn(run_deaf);
        (void)co_await me.node().publish("sink", open);
        (void)co_await me.node().publish("deaf", deaf);
      });
      say(back.endpoints()[0]);
      stay();
    });
    troupe::node front = start(how.options("front"));
    join(front, peer.line());
    CHECK(link_to(front, "back").lane == how.lane());
    ref<sink> far;
    ref<sink> deaf;
    play(front, [&](self<nothing>& me) -> troupe::task<void> {
      const auto found = co_await me.node().lookup<sink>("sink").within(patience);
      REQUIRE(found.has_value());
      far = *found;
      const auto other = co_await me.node().lookup<sink>("deaf").within(patience);
      REQUIRE(other.has_value());
      deaf = *other;
    });
    std::atomic<std::uint64_t> accepted{0};
    std::vector<playing> senders;
    for (unsigned i = 0; i < 4; ++i)
      senders.push_back(keep_sending(front, i % 2 == 0 ? far : deaf, i, accepted));
    CHECK(eventually([&] { return accepted.load() > 10'000; }));
    CHECK(link_to(front, "back").frames_out > 1000);
    peer.kill();
    for (playing& s : senders) s.finish();
    settled(front);
    const auto books = front.accounting();
    INFO(books.text());
    CHECK(books.accepted_local >= accepted.load());
    CHECK(books.handed_over > 0);
    check_stops(front);
  }
}

TEST_CASE("remote accounting: threads that hammer try_send while the link and the node go lose nothing") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto far = seen_from(nodes.front, nodes.back, nodes.back.spawn(run_sink));
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> accepted{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        while (!over.load()) {
          if (far.try_send<item>("from a thread")) accepted.fetch_add(1);
        }
      });
    }
    CHECK(eventually([&] { return accepted.load() > 5'000; }));
    nodes.check_lane();
    CHECK(nodes.back.stop());
    CHECK(eventually([&] { return link_to(nodes.front, "back").lane == "none"; }));
    CHECK(nodes.front.stop());
    over.store(true);
    for (std::thread& t : threads) t.join();
    const auto front = nodes.front.accounting();
    INFO(front.text());
    CHECK(front.balanced());  // what reached the link's queue after the stop stays in it
    CHECK(front.accepted_local >= accepted.load());
    CHECK(nodes.back.accounting().balanced());
    CHECK(text_of(far.try_send<item>("too late")) == "unreachable");
  }
}

TEST_CASE("remote accounting: a node that stops with messages of threads on their way counts them") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto local = nodes.back.spawn(run_deaf);
    const auto far = seen_from(nodes.front, nodes.back, local);
    std::uint64_t accepted = 0;
    while (far.try_send<item>(std::string(1000, 'x'))) ++accepted;
    nodes.check_lane();
    CHECK(nodes.front.stop());
    const auto front = nodes.front.accounting();
    INFO(front.text());
    CHECK(front.balanced());
    CHECK(front.pending == 0);
    CHECK(front.undelivered[index_of(errc::unreachable)] > 0);
    CHECK(front.handed_over + front.undelivered[index_of(errc::unreachable)] >= accepted);
    nodes.back.kill(local);
    settled(nodes.back);
    CHECK(front.handed_over == nodes.back.accounting().accepted_inbound);
    check_stops(nodes.back);
  }
}
