// Messages over 64 KiB beside others, and peers that lie about them: nobody starves, nothing grows without bound, and an
// orderly end waits for what is under way.
#include <atomic>
#include <deque>

#include "catch.hpp"
#include "raw_peer.hpp"

using namespace hostile;

namespace {

constexpr std::uint32_t largest = 1 << 20;

const auto with_small_limit = [](link_options& o) { o.max_message = largest; };

/// Fills the lane with small messages to hundreds of targets, turn for turn, until it is told to stop.
struct filler {
  test_node& from;
  std::atomic<bool> stop{false};
  std::atomic<bool> stopped{false};

  void run() {
    if (stop) {
      stopped = true;
      return;
    }
    const note n{7, std::string(1000, 's')};
    out_stream& out = from.stream(0);
    for (std::uint64_t target = 10; target < 400; ++target) {
      outgoing what;
      what.target = target;
      what.type = &wire_type_of<note>;
      what.message = &n;
      const send_outcome how = out.try_send(what);
      if (how == send_outcome::blocked || how == send_outcome::closed) break;
    }
    from.workers().at(0).post([this](worker&) { run(); });
  }
  /// Nothing of it is posted any more.
  void end() {
    stop = true;
    while (!stopped) from.on(0, [] {});
  }
};

}  // namespace

TEST_CASE("chunks: replies that the peer takes too slowly are answered with no_memory, and the link stays") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  pair_of_nodes nodes(lane.kind, lane.io, 1, 1, with_small_limit);
  constexpr std::uint64_t replies = 200;
  {
    blocked_worker deaf(nodes.back.workers().at(0));
    nodes.front.on(0, [&] {
      const note answer{1, std::string(largest - empty_note, 'a')};
      for (std::uint64_t i = 1; i <= replies; ++i)
        nodes.front.stream(0).reply(i, errc::ok, &wire_type_of<note>, &answer, nullptr);
    });
    deaf.release.set_value();
  }
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.replies.size() == replies; }));
  nodes.back.host.with([&](record& r) {
    std::size_t good = 0;
    for (const auto& [number, status] : r.replies) {
      good += status == errc::ok ? 1 : 0;
      CHECK((status == errc::ok || status == errc::no_memory));
    }
    CHECK(good >= 64);
    CHECK(good < replies);
  });
  CHECK(nodes.front.linked());
}

TEST_CASE("row 11: credit for a message whose chunks have not gone closes the link") {
  test_node victim({1, io_backend::automatic, true, "victim"});
  const endpoint at = victim.listen();
  victim.start();
  raw_peer peer(at);
  hello h = raw_peer::introduction();
  h.max_message = 32u << 20;
  REQUIRE(peer.link(h));
  REQUIRE(victim.linked());
  constexpr std::size_t size = 30u << 20;  // more than sockets hold
  REQUIRE(victim.send(0, 5, 1, size) == send_outcome::sent);
  const auto cost = static_cast<std::uint32_t>(size + empty_note) + message_overhead;
  peer.say(peer.segment({frame({frame_kind::credit, 0, 0, 0, 0}, numbers(0u, cost))}));
  CHECK(victim.unlinked());
  CHECK(victim.down().second.find("credit") != std::string::npos);
}

TEST_CASE("chunks: the largest message goes, however many middling ones there are") {
  pair_of_nodes nodes(lane_kind::shm, io_backend::automatic, 1, 1, with_small_limit);
  constexpr std::uint64_t targets = 40;
  std::deque<waiting_note> middling;
  const auto wait_with = [&](waiting_note& w) {
    nodes.front.on(0, [&] { nodes.front.stream(0).wait(w.waiter); });
  };
  for (std::uint64_t i = 0; i < 2 * targets; ++i)
    wait_with(middling.emplace_back(slow + i % targets, 1, 300'000));
  waiting_note large(slow + targets, 2, largest - 100);
  wait_with(large);
  auto outcome = large.waiter.outcome.get_future();
  std::size_t taken = 0;
  for (; taken < 20 * targets && outcome.wait_for(0s) != std::future_status::ready; ++taken) {
    REQUIRE(nodes.back.host.wait_until([](record& r) { return !r.held.empty(); }));
    const auto [credit, target] = nodes.back.host.with([&](record& r) {
      const held_credit first = r.held.front();
      r.held.erase(r.held.begin());
      return std::pair(first, r.arrivals[taken].target);
    });
    nodes.back.with_link([&](session& s) { s.consumed(credit); });
    wait_with(middling.emplace_back(target, 1, 300'000));
  }
  CHECK(taken < 3 * targets);
  CHECK(outcome.wait_for(10s) == std::future_status::ready);
  nodes.front.close();
}

TEST_CASE("chunks: small messages that fill the lane starve nobody") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  const bool accepted_before = GENERATE(true, false);
  pair_of_nodes nodes(lane.kind, lane.io, 1, 1, [](link_options& o) { o.max_message = 8 << 20; });
  filler small{nodes.front};
  const std::size_t size = GENERATE(100u, (8u << 20) - 100);
  waiting_note waits(slow, 2, size);
  if (accepted_before) {
    REQUIRE(nodes.front.send(0, slow, 1, size) == send_outcome::sent);
    nodes.front.on(0, [&] { small.run(); });
  } else {
    nodes.front.on(0, [&] { small.run(); });
    nodes.front.on(0, [&] { nodes.front.stream(0).wait(waits.waiter); });
  }
  CHECK(nodes.back.host.wait_until([](record& r) { return !r.held.empty(); }));
  small.end();
}

TEST_CASE("chunks: a link that closes waits as long as the peer takes what it is sent") {
  pair_of_nodes nodes(lane_kind::shm, io_backend::automatic);
  std::atomic<bool> closed{false};
  std::function<void(worker&)> dawdle = [&](worker& on) {  // some 6 MiB a second
    const auto until = std::chrono::steady_clock::now() + 20ms;
    while (std::chrono::steady_clock::now() < until) {
    }
    if (!closed) on.post(dawdle);
  };
  nodes.back.workers().at(0).post(dawdle);
  REQUIRE(nodes.front.send(0, 1, 1, 15 << 20) == send_outcome::sent);
  nodes.front.close();
  closed = true;
  CHECK(nodes.front.host.with([](record& r) { return r.unacked; }) == 0);
  CHECK(nodes.back.host.with([](record& r) { return r.arrivals.size(); }) == 1);
  nodes.back.on(0, [] {});
}
