// Messages and replies over 64 KiB, which go in chunks: sizes, order, credit, what is lost with a link.
#include "catch.hpp"
#include "link_fixture.hpp"

using namespace link_test;

namespace {

constexpr std::uint32_t largest = 1 << 20;

struct chunked_pair : pair_of_nodes {
  explicit chunked_pair(const lane_case& lane, std::uint32_t limit = largest)
      : pair_of_nodes(lane.kind, lane.io, 1, 1, [&](link_options& o) {
          o.max_message = limit;
          o.bulks =
              std::make_shared<bulk_pool>(os_env(), room_for_rings);  // else they lie apart (apart_test.cpp)
        }) {}
  std::vector<std::uint64_t> numbers() {
    return back.host.with([](record& r) {
      std::vector<std::uint64_t> all;
      for (const arrival& a : r.arrivals) all.push_back(a.number);
      return all;
    });
  }
  bool arrived(std::size_t count) {
    return back.host.wait_until([&](record& r) { return r.arrivals.size() == count; });
  }
  void wait_with(waiting_note& note) {
    front.on(0, [&] { front.stream(0).wait(note.waiter); });
  }
};

}  // namespace

TEST_CASE("chunks: a message of any size up to the limit arrives whole, one byte more is too large") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  chunked_pair nodes(lane);
  const std::size_t sizes[] = {100,           max_chunk - 1,     max_chunk,   max_chunk + 1,
                               2 * max_chunk, 2 * max_chunk + 1, largest - 1, largest};
  std::uint64_t number = 0;
  for (const std::size_t size : sizes) {
    waiting_note waits(3, number, size - empty_note);
    nodes.wait_with(waits);
    CHECK(waits.waiter.outcome.get_future().get() == send_outcome::sent);
    REQUIRE(nodes.arrived(++number));
    CHECK(nodes.back.host.with([](record& r) { return r.arrivals.back().size; }) == size);
  }
  CHECK(nodes.front.send(0, 3, 9, largest - empty_note + 1) == send_outcome::too_large);
  waiting_note too_large(3, 10, largest);
  nodes.wait_with(too_large);
  CHECK(too_large.waiter.outcome.get_future().get() == send_outcome::too_large);
  CHECK(nodes.front.host.wait_until([&](record& r) { return r.acked == number; }));
}

TEST_CASE("chunks: what is for the same target stays behind them, in order") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  chunked_pair nodes(lane);
  constexpr std::uint64_t rounds = 40;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const std::size_t size = i % 3 == 0 ? 300'000 + 1000 * i : 100;
    if (i % 5 != 4 && nodes.front.send(0, 3, i, size) == send_outcome::sent) continue;
    waiting_note waits(3, i, size);
    nodes.wait_with(waits);
    CHECK(waits.waiter.outcome.get_future().get() == send_outcome::sent);
  }
  REQUIRE(nodes.arrived(rounds));
  const auto numbers = nodes.numbers();
  for (std::uint64_t i = 0; i < rounds; ++i) CHECK(numbers[i] == i);
}

TEST_CASE("chunks: other targets' messages and notes go between them, but for a note that keeps its order") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  constexpr std::uint32_t huge = 8 << 20;  // more than a lane and its socket hold
  chunked_pair nodes(lane, huge);
  {
    blocked_worker deaf(nodes.back.workers().at(0));
    REQUIRE(nodes.front.send(0, 1, 1, huge - 100) == send_outcome::sent);
    CHECK_FALSE(nodes.front.on(0, [&] { return nodes.front.stream(0).has_room(1); }));
    nodes.front.on(0, [&] {
      nodes.front.stream(0).control({1, 0, 0, 0, "at once"});
      nodes.front.stream(0).control({2, 0, 0, 0, "in order", true});
    });
    deaf.release.set_value();
  }
  REQUIRE(nodes.arrived(1));
  REQUIRE(nodes.back.host.wait_until([](record& r) { return r.controls.size() == 2; }));
  nodes.back.host.with([](record& r) {
    CHECK(r.controls == std::vector<std::string>{"1:0:0:0:at once", "2:0:0:0:in order"});
    CHECK(r.arrivals_at_control[0] == 0);
    CHECK(r.arrivals_at_control[1] == 1);
  });
}

TEST_CASE("chunks: a target that takes nothing stops its own senders, however large their messages") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  chunked_pair nodes(lane);
  REQUIRE(nodes.front.send(0, slow, 1, 200'000) == send_outcome::sent);  // beyond its window
  REQUIRE(nodes.arrived(1));
  CHECK(nodes.front.send(0, slow, 2, 100) == send_outcome::no_credit);
  CHECK(nodes.front.send(0, slow, 2, 200'000) == send_outcome::no_credit);  // over a quarter of the largest
  waiting_note waits(slow, 2, 200'000);
  nodes.wait_with(waits);
  CHECK(nodes.front.send(0, 3, 3, 200'000) == send_outcome::sent);
  REQUIRE(nodes.arrived(2));
  nodes.back.consume_held();
  CHECK(waits.waiter.outcome.get_future().get() == send_outcome::sent);
  REQUIRE(nodes.arrived(3));
  CHECK(nodes.numbers() == std::vector<std::uint64_t>{1, 3, 2});
}

TEST_CASE("chunks: the overdrafts of a stream are bounded together, and whoever waits for that goes on") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  chunked_pair nodes(lane);
  for (std::uint64_t i = 0; i < 2; ++i) {
    waiting_note fits(slow + i, i, largest - 100);
    nodes.wait_with(fits);
    CHECK(fits.waiter.outcome.get_future().get() == send_outcome::sent);
  }
  REQUIRE(nodes.arrived(2));
  CHECK(nodes.front.send(0, slow + 2, 2, largest - 100) == send_outcome::no_credit);
  CHECK(nodes.front.send(0, slow + 2, 2, 1000) == send_outcome::sent);  // small ones as before
  waiting_note one(slow + 3, 3, largest - 100);
  waiting_note other(slow + 4, 4, largest - 100);
  nodes.wait_with(one);
  nodes.wait_with(other);
  REQUIRE(nodes.arrived(3));
  nodes.back.consume_held();
  CHECK(one.waiter.outcome.get_future().get() == send_outcome::sent);
  CHECK(other.waiter.outcome.get_future().get() == send_outcome::sent);
  REQUIRE(nodes.arrived(5));
}

TEST_CASE("chunks: when the first of those who wait for an overdraft is gone, the next goes on") {
  pair_of_nodes nodes(lane_kind::shm, io_backend::automatic, 1, 1, [](link_options& o) {
    o.max_message = largest;
    o.bulks = std::make_shared<bulk_pool>(os_env(), room_for_rings);
    o.lease = 1h;  // no probe flushes
  });
  const auto wait_with = [&](waiting_note& w) {
    nodes.front.on(0, [&] { nodes.front.stream(0).wait(w.waiter); });
  };
  for (std::uint64_t i = 0; i < 2; ++i) {
    waiting_note slow_ones(slow + i, i, 850'000);
    wait_with(slow_ones);
    CHECK(slow_ones.waiter.outcome.get_future().get() == send_outcome::sent);
  }
  REQUIRE(nodes.front.host.wait_until([](record& r) { return r.acked == 2; }));
  auto too_much = std::make_unique<waiting_note>(slow + 2, 2, largest - 100);
  wait_with(*too_much);
  waiting_note fits(slow + 3, 3, 200'000);
  wait_with(fits);
  auto outcome = fits.waiter.outcome.get_future();
  nodes.front.on(0, [&] { too_much.reset(); });
  CHECK(outcome.wait_for(10s) == std::future_status::ready);
}

TEST_CASE("chunks: a waiter that is gone was never sent, and nobody is held up by it") {
  chunked_pair nodes({"shm", lane_kind::shm, io_backend::automatic});
  REQUIRE(nodes.front.send(0, slow, 1, 200'000) == send_outcome::sent);
  REQUIRE(nodes.arrived(1));
  {
    waiting_note waits(slow, 2, 300'000);
    nodes.wait_with(waits);
    nodes.front.on(0, [&] { destination_table::remove(waits.waiter); });
  }
  nodes.back.consume_held();
  waiting_note next(slow, 3, 300'000);
  nodes.wait_with(next);
  CHECK(next.waiter.outcome.get_future().get() == send_outcome::sent);
  REQUIRE(nodes.arrived(2));
  CHECK(nodes.numbers() == std::vector<std::uint64_t>{1, 3});
}

TEST_CASE("chunks: replies of any size up to the limit come back, also while the lane is full") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  chunked_pair nodes(lane);
  constexpr std::uint64_t replies = 6;
  {
    blocked_worker deaf(nodes.back.workers().at(0));
    nodes.front.on(0, [&] {
      for (std::uint64_t i = 1; i <= replies; ++i) {
        const note answer{i, std::string(i * 150'000, 'a')};
        nodes.front.stream(0).reply(i, errc::ok, &wire_type_of<note>, &answer, nullptr);
      }
      const note over{0, std::string(largest, 'a')};
      nodes.front.stream(0).reply(replies + 1, errc::ok, &wire_type_of<note>, &over, nullptr);
    });
    deaf.release.set_value();
  }
  REQUIRE(nodes.back.host.wait_until([](record& r) { return r.replies.size() == replies + 1; }));
  nodes.back.host.with([](record& r) {
    const auto count = [&](errc status) {
      return std::ranges::count(r.replies, status, [](const auto& reply) { return reply.second; });
    };
    CHECK(count(errc::ok) == 6);
    CHECK(count(errc::too_large) == 1);
  });
}

TEST_CASE(
    "chunks: a link that closes first sends what it has, and what the peer does not take is not "
    "acknowledged") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  {
    chunked_pair nodes(lane);
    std::uint64_t sent = 0;
    while (sent < 8 && nodes.front.send(0, sent + 1, sent, 300'000) == send_outcome::sent) ++sent;
    nodes.front.close();
    CHECK(nodes.back.host.with([](record& r) { return r.arrivals.size(); }) == sent);
    CHECK(nodes.front.host.with([](record& r) { return r.unacked; }) == 0);
  }
  chunked_pair nodes(lane);
  blocked_worker deaf(nodes.back.workers().at(0));
  std::uint64_t sent = 0;
  while (sent < 8 && nodes.front.send(0, sent + 1, sent, 300'000) == send_outcome::sent) ++sent;
  REQUIRE(sent > 0);
  nodes.front.close();
  CHECK(nodes.front.host.with([](record& r) { return r.acked; }) == 0);
  CHECK(nodes.front.host.with([](record& r) { return r.unacked; }) == sent);
  deaf.release.set_value();
}
