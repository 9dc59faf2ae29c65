// Messages and replies over 64 KiB between processes that share memory: encoded into memory that is lent, whose frame says
// where. What goes in chunks: chunk_test.cpp.
#include "catch.hpp"
#include "link_fixture.hpp"

using namespace link_test;

namespace {

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t memory = 64 * mib;
constexpr std::uint32_t largest = 1 << 20;

struct lending_pair : pair_of_nodes {
  explicit lending_pair(io_backend io = io_backend::automatic, unsigned workers = 1)
      : lending_pair(io, workers, std::make_shared<bulk_pool>(os_env(), memory + room_for_rings)) {}
  lending_pair(io_backend io, unsigned workers, std::shared_ptr<bulk_pool> p)
      : pair_of_nodes(lane_kind::shm, io, workers, workers,
                      [&](link_options& o) {
                        o.max_message = largest;
                        o.bulks = p;
                      }),
        pool(std::move(p)) {}
  /// Once there is credit. How many frames went out by then.
  std::uint64_t sends(std::uint64_t target, std::uint64_t number, std::size_t text, unsigned from = 0) {
    const std::uint64_t before = frames();
    waiting_note waits(target, number, text);
    front.on(from, [&] { front.stream(from).wait(waits.waiter); });
    CHECK(waits.waiter.outcome.get_future().get() == send_outcome::sent);
    return frames() - before;
  }
  std::uint64_t frames() {
    return front.with_link([](session& s) { return s.frames_out(); });
  }
  bool arrived(std::size_t count) {
    return back.host.wait_until([&](record& r) { return r.arrivals.size() == count; });
  }
  /// Until one goes out whole: then the peer has said that it has mapped what it was told of. The number of the next.
  std::uint64_t warm_up(std::uint64_t target, std::size_t text, std::uint64_t number = 0) {
    const std::uint64_t last = number + 1000;
    for (bool whole = false; !whole;) {
      REQUIRE(number != last);
      whole = sends(target, number, text) < chunks_of(text);
      REQUIRE(arrived(++number));
    }
    return number;
  }
  /// Nothing is lent.
  bool all_is_back() {
    for (int i = 0; i < 10'000; ++i) {
      if (pool->loan(memory)) return true;
      front.on(0, [] {});
      back.on(0, [] {});
    }
    return false;
  }

  static std::uint64_t chunks_of(std::size_t text) { return (empty_note + text + max_chunk - 1) / max_chunk; }

  std::shared_ptr<bulk_pool> pool;
};

}  // namespace

TEST_CASE("apart: a message of any size up to the limit arrives whole, one byte more is too large") {
  lending_pair nodes(GENERATE(io_backend::automatic, io_backend::asio));
  std::uint64_t number = nodes.warm_up(3, largest - empty_note);
  for (const std::size_t size : {max_chunk, max_chunk + 1, 2 * max_chunk + 7, std::size_t{largest} - 1,
                                 std::size_t{largest}, std::size_t{100}}) {
    INFO(size);
    if (size > max_chunk) {
      number = nodes.warm_up(3, size - empty_note, number);
    } else {
      CHECK(nodes.sends(3, number, size - empty_note) >= 1);
      REQUIRE(nodes.arrived(++number));
    }
    CHECK(nodes.back.host.with([](record& r) { return r.arrivals.back().size; }) == size);
  }
  CHECK(nodes.front.send(0, 3, 9, largest - empty_note + 1) == send_outcome::too_large);
  CHECK(nodes.front.host.wait_until([&](record& r) { return r.acked == number; }));
  CHECK(nodes.all_is_back());
}

TEST_CASE("apart: what there is no memory for goes in chunks, and order stays") {
  lending_pair nodes;
  const std::uint64_t before = nodes.warm_up(3, largest - empty_note);
  constexpr std::uint64_t rounds = 40;
  std::uint64_t in_chunks = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    std::vector<bulk_buffer> taken;
    for (const std::uint64_t size : {mib, 2 * mib}) {
      if (i % 4 < 2) break;
      for (auto more = nodes.pool->loan(size); more; more = nodes.pool->loan(size))
        taken.push_back(std::move(*more));
    }
    const std::size_t text = i % 3 == 0 ? 100 : 900'000 + 1000 * i;
    const bool whole = nodes.sends(3, before + i, text) < nodes.chunks_of(text) || text == 100;
    if (!whole) ++in_chunks;
  }
  CHECK(in_chunks != 0);  // how many, depends on what comes back from those before
  REQUIRE(nodes.arrived(before + rounds));
  nodes.back.host.with([&](record& r) {
    for (std::uint64_t i = 0; i < rounds; ++i) CHECK(r.arrivals[before + i].number == before + i);
  });
  CHECK(nodes.all_is_back());
}

TEST_CASE("apart: replies come back, and a target that takes nothing stops its own senders") {
  lending_pair nodes;
  const std::uint64_t before = nodes.warm_up(3, largest - empty_note);
  const note answer{1, std::string(largest - empty_note, 'a')};
  nodes.front.on(0, [&] { nodes.front.stream(0).reply(7, errc::ok, &wire_type_of<note>, &answer, nullptr); });
  REQUIRE(nodes.back.host.wait_until([](record& r) { return r.replies.size() == 1; }));
  CHECK(nodes.back.host.with([](record& r) { return r.replies.front().second; }) == errc::ok);
  CHECK(nodes.front.send(0, slow, 1, 200'000) == send_outcome::sent);
  REQUIRE(nodes.arrived(before + 1));
  CHECK(nodes.front.send(0, slow, 2, 200'000) == send_outcome::no_credit);
  CHECK(nodes.front.send(0, 4, 3, 200'000) == send_outcome::sent);
  REQUIRE(nodes.arrived(before + 2));
  nodes.back.consume_held();
  CHECK(nodes.all_is_back());
}

TEST_CASE("apart: what has come before the link ends is delivered, and its memory is free then") {
  const auto pool = std::make_shared<bulk_pool>(os_env(), memory + room_for_rings);
  {
    lending_pair nodes(io_backend::automatic, 1, pool);
    const std::uint64_t before = nodes.warm_up(3, largest - empty_note);
    blocked_worker deaf(nodes.back.workers().at(0));
    CHECK(nodes.front.send(0, 5, 1, largest - empty_note) == send_outcome::sent);
    CHECK_FALSE(pool->loan(memory).has_value());
    deaf.release.set_value();
    REQUIRE(nodes.arrived(before + 1));
  }
  CHECK(pool->loan(memory).has_value());
}

TEST_CASE("apart: a link that ends while another worker encodes takes no memory from under it") {
  const auto pool = std::make_shared<bulk_pool>(os_env(), memory + room_for_rings);
  for (int round = 0; round < 10; ++round) {
    CHECK(pool->loan(memory).has_value());
    lending_pair nodes(io_backend::automatic, 2, pool);
    nodes.warm_up(3, largest - empty_note);
    std::promise<void> begun;
    std::future<void> first = begun.get_future();
    std::promise<void> ended;
    out_stream& out = nodes.front.stream(1);
    nodes.front.workers().at(1).post([&](worker&) {
      const note n{1, std::string(largest - empty_note, 'x')};
      outgoing what;
      what.type = &wire_type_of<note>;
      what.message = &n;
      bool told = false;
      for (what.target = 100; out.up() && what.target < 4000; ++what.target) {
        out.try_send(what);
        if (!std::exchange(told, true)) begun.set_value();
      }
      ended.set_value();
    });
    first.get();
    nodes.back.with_link([](session& s) { s.close(); });
    ended.get_future().get();
  }
  CHECK(pool->loan(memory).has_value());
}
