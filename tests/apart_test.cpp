// Messages and replies over 64 KiB between processes that share memory: encoded into memory that is lent, whose frame says
// where. What goes in chunks: chunk_test.cpp.
#include "catch.hpp"
#include "link_fixture.hpp"

using namespace link_test;

namespace {

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint32_t largest = 1 << 20;

struct lending_pair : pair_of_nodes {
  explicit lending_pair(io_backend io, std::shared_ptr<bulk_pool> memory)
      : pair_of_nodes(lane_kind::shm, io, 1, 1,
                      [&](link_options& o) {
                        o.max_message = largest;
                        o.bulks = memory;
                      }),
        pool(std::move(memory)) {}
  /// Once there is credit.
  void sends(std::uint64_t target, std::uint64_t number, std::size_t text) {
    waiting_note waits(target, number, text);
    front.on(0, [&] { front.stream(0).wait(waits.waiter); });
    CHECK(waits.waiter.outcome.get_future().get() == send_outcome::sent);
  }
  /// Nothing is lent.
  bool all_is_back() {
    for (int i = 0; i < 1000; ++i) {
      if (pool->loan(4 * mib)) return true;
      front.on(0, [] {});
      back.on(0, [] {});
    }
    return false;
  }
  bool arrived(std::size_t count) {
    return back.host.wait_until([&](record& r) { return r.arrivals.size() == count; });
  }

  std::shared_ptr<bulk_pool> pool;
};

std::shared_ptr<bulk_pool> four_mib() { return std::make_shared<bulk_pool>(os_env(), 4 * mib); }

}  // namespace

TEST_CASE("apart: a message of any size up to the limit arrives whole, one byte more is too large") {
  const io_backend io = GENERATE(io_backend::automatic, io_backend::asio);
  lending_pair nodes(io, std::make_shared<bulk_pool>(os_env(), 64 * mib));
  std::uint64_t number = 0;
  for (const std::size_t size :
       {max_chunk, max_chunk + 1, 2 * max_chunk + 7, std::size_t{largest} - 1, std::size_t{largest}}) {
    INFO(size);
    nodes.sends(3, number, size - empty_note);
    REQUIRE(nodes.arrived(++number));
    CHECK(nodes.back.host.with([](record& r) { return r.arrivals.back().size; }) == size);
    CHECK((nodes.pool->held() != 0) == (size > max_chunk));
  }
  CHECK(nodes.front.send(0, 3, 9, largest - empty_note + 1) == send_outcome::too_large);
  CHECK(nodes.front.host.wait_until([&](record& r) { return r.acked == number; }));
}

TEST_CASE("apart: what there is no memory for goes in chunks, and order stays") {
  lending_pair nodes(io_backend::automatic, four_mib());
  constexpr std::uint64_t rounds = 40;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    std::optional<result<bulk_buffer>> taken;
    if (i % 4 >= 2) taken.emplace(nodes.pool->loan(4 * mib));
    nodes.sends(3, i, i % 3 == 0 ? 100 : 300'000 + 1000 * i);
    if (i % 8 == 7) REQUIRE(nodes.arrived(i + 1));
  }
  REQUIRE(nodes.arrived(rounds));
  nodes.back.host.with([](record& r) {
    for (std::uint64_t i = 0; i < rounds; ++i) CHECK(r.arrivals[i].number == i);
  });
  CHECK(nodes.all_is_back());
}

TEST_CASE("apart: replies come back, and a target that takes nothing stops its own senders") {
  lending_pair nodes(io_backend::automatic, four_mib());
  const note answer{1, std::string(largest - empty_note, 'a')};
  nodes.front.on(0, [&] { nodes.front.stream(0).reply(7, errc::ok, &wire_type_of<note>, &answer, nullptr); });
  REQUIRE(nodes.back.host.wait_until([](record& r) { return r.replies.size() == 1; }));
  CHECK(nodes.back.host.with([](record& r) { return r.replies.front().second; }) == errc::ok);
  CHECK(nodes.front.send(0, slow, 1, 200'000) == send_outcome::sent);
  REQUIRE(nodes.arrived(1));
  CHECK(nodes.front.send(0, slow, 2, 200'000) == send_outcome::no_credit);
  CHECK(nodes.front.send(0, 3, 3, 200'000) == send_outcome::sent);
  REQUIRE(nodes.arrived(2));
  nodes.back.consume_held();
  CHECK(nodes.all_is_back());
}

TEST_CASE("apart: what has come before the link ends is delivered, and its memory is not used again") {
  const auto pool = four_mib();
  {
    lending_pair nodes(io_backend::automatic, pool);
    blocked_worker deaf(nodes.back.workers().at(0));
    CHECK(nodes.front.send(0, 3, 1, 300'000) == send_outcome::sent);
    CHECK_FALSE(pool->loan(4 * mib).has_value());
    deaf.release.set_value();
    REQUIRE(nodes.arrived(1));
  }
  CHECK(pool->loan(4 * mib).has_value());
}
