// Bulks between processes and nodes: one copy in memory for all who read, and what happens when a reader, the writer or their
// link ends.
#include "remote_support.hpp"

#include <algorithm>
#include <fstream>
#include <numeric>

#include <troupe/bulk.hpp>

namespace bulk_process {

constexpr std::size_t mib = 1 << 20;
constexpr std::size_t rings = mib + mib / 2;  // room for those of a link of a node with two workers

struct seen {
  std::uint64_t sum = 0;
  std::string memory;  // device and inode of what is mapped where the bytes lie
};
struct look {
  using reply = seen;
  troupe::bulk bytes;
};
struct hold {
  using reply = std::uint64_t;  // how many it holds
  troupe::bulk bytes;
};
struct let_go {
  using reply = void;
};
struct gift {
  troupe::bulk bytes;
};
struct pass_on {
  using reply = seen;
  troupe::bulk bytes;
  troupe::ref<look> to;
};
using reader = troupe::protocol<look, hold, let_go, pass_on>;

inline std::uint64_t sum_of(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (const std::byte b : bytes) sum += std::to_integer<unsigned>(b);
  return sum;
}

inline std::string memory_at(const void* address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0, offset = 0, inode = 0;
    char flags[8], device[16];
    if (std::sscanf(line.c_str(), "%lx-%lx %7s %lx %15s %lu", &begin, &end, flags, &offset, device, &inode) <
        6)
      continue;
    const auto at = reinterpret_cast<unsigned long>(address);
    if (at >= begin && at < end) return std::string(device) + ":" + std::to_string(inode);
  }
  return "nowhere";
}

inline seen what_is_seen(const troupe::bulk& b) {
  return {sum_of(b.trusted_bytes()), memory_at(b.trusted_bytes().data())};
}

inline troupe::actor run_reader(troupe::self<reader> me) {
  std::vector<troupe::bulk> held;
  co_await me.serve([](const look& l) { return what_is_seen(l.bytes); },
                    [&](const hold& h) {
                      held.push_back(h.bytes);
                      return std::uint64_t{held.size()};
                    },
                    [&](let_go) { held.clear(); },
                    [](pass_on p) -> troupe::task<seen> {
                      const auto there = co_await p.to.ask<look>(p.bytes).within(test::patience);
                      if (!there) throw std::runtime_error(there.error().text());
                      co_return *there;
                    });
}

inline troupe::actor run_taker(troupe::self<gift> me, std::shared_ptr<std::promise<troupe::bulk>> taken) {
  const auto got = co_await me.receive<gift>();
  if (got) taken->set_value(got->bytes);
  co_await me.serve([](const gift&) {});
}

inline troupe::bulk painted(troupe::node& at, std::size_t size, unsigned char with) {
  auto buffer = at.loan(size);
  REQUIRE(buffer.has_value());
  std::ranges::fill(buffer->bytes(), std::byte{with});
  return std::move(*buffer).seal();
}

/// A node in a process of its own with `actors` readers, published as NAME-0, NAME-1, …; it says where it listens.
inline auto reading_process(const std::string& name, int actors) {
  return [name, actors](auto say) {
    auto node = troupe::node::start({.name = name, .listen = {"tcp://127.0.0.1:0"}, .workers = 1});
    if (!node) ::_exit(1);
    for (int i = 0; i < actors; ++i) {
      auto who = node->spawn(run_reader);
      test::play(*node, [&](test::self<troupe::protocol<>>& me) -> troupe::task<void> {
        const auto published = co_await me.node().publish(name + "-" + std::to_string(i), who);
        if (!published) ::_exit(1);
      });
    }
    say(node->endpoints()[0]);
    test::stay();
  };
}

inline troupe::ref<reader> reader_named(troupe::node& from, const std::string& name) {
  troupe::ref<reader> found;
  test::play(from, [&](test::self<troupe::protocol<>>& me) -> troupe::task<void> {
    const auto there = co_await me.node().template lookup<reader>(name).within(test::patience);
    if (!there) throw std::runtime_error("no " + name);
    found = *there;
  });
  return found;
}

/// Whether so many bytes can be loaned, soon.
inline bool room_for(troupe::node& at, std::size_t size) {
  return test::eventually([&] { return at.loan(size).has_value(); });
}

}  // namespace bulk_process

using namespace test;
using namespace bulk_process;

TEST_CASE("bulk: 64 MiB for eight readers in four processes lie in memory once") {
  std::vector<std::unique_ptr<child_process>> processes;
  for (int p = 0; p < 4; ++p)
    processes.push_back(std::make_unique<child_process>(reading_process("r" + std::to_string(p), 2)));
  troupe::node front = start({.name = "front", .workers = 2, .shared_memory = 64 * mib + 4 * rings});
  for (const auto& p : processes) join(front, p->line());

  const troupe::bulk bytes = painted(front, 64 * mib, 3);
  CHECK(front.loan(1).error() == errc::no_memory);
  const std::string memory = memory_at(bytes.trusted_bytes().data());
  for (int p = 0; p < 4; ++p) {
    for (int i = 0; i < 2; ++i) {
      const auto who = reader_named(front, "r" + std::to_string(p) + "-" + std::to_string(i));
      const auto there = who.blocking_ask<look>(patience, bytes);
      REQUIRE(there.has_value());
      CHECK(there->sum == 3 * bytes.size());
      CHECK(there->memory == memory);
    }
  }
  check_stops(front);
}

TEST_CASE("bulk: memory comes back from a reader that lets go, and from one that is killed") {
  child_process process(reading_process("back", 1));
  troupe::node front = start({.name = "front", .workers = 2, .shared_memory = 16 * mib + rings});
  join(front, process.line());
  const auto who = reader_named(front, "back-0");

  for (int i = 0; i < 2; ++i) {
    const auto held = who.blocking_ask<hold>(patience, painted(front, 16 * mib, 1));
    REQUIRE(held.has_value());
    CHECK(front.loan(16 * mib).error() == errc::no_memory);
    if (i == 0) {
      CHECK(who.blocking_ask<let_go>(patience).has_value());
    } else {
      process.kill();
    }
    CHECK(room_for(front, 16 * mib));
  }
  check_stops(front);
}

TEST_CASE("bulk: what a reader has stays as it was when the link, and the writer's node, have ended") {
  troupe::node back = start_listening({.name = "back", .workers = 1});
  troupe::bulk kept;
  {
    troupe::node front = start({.name = "front", .workers = 1, .shared_memory = 16 * mib + rings});
    join(front, back.endpoints()[0]);
    const auto taken = std::make_shared<std::promise<troupe::bulk>>();
    const auto seen = seen_from(front, back, back.spawn(run_taker, taken));
    CHECK(seen.blocking_send<gift>(patience, painted(front, 8 * mib, 5)).has_value());
    kept = taken->get_future().get();
    check_stops(back);
    CHECK(room_for(front, 16 * mib));
    const troupe::bulk other = painted(front, 16 * mib, 9);  // all there is, and not what is read there
    CHECK(sum_of(kept.trusted_bytes()) == 5 * kept.size());
    check_stops(front);
  }
  CHECK(sum_of(kept.trusted_bytes()) == 5 * kept.size());
}

TEST_CASE("bulk: a third node gets a copy, once, of the one that passes it on") {
  child_process first(reading_process("first", 1));
  child_process second(reading_process("second", 1));
  troupe::node front = start({.name = "front", .workers = 1});
  const std::string where = second.line();
  join(front, first.line());
  join(front, where);
  const auto one = reader_named(front, "first-0");
  const auto two = reader_named(front, "second-0");
  const auto mine = front.spawn(
      [](self<look> me) -> actor { co_await me.serve([](const look& l) { return what_is_seen(l.bytes); }); });
  const troupe::bulk bytes = painted(front, mib, 2);
  const auto back_again = one.blocking_ask<pass_on>(patience, bytes, mine);
  REQUIRE(back_again.has_value());
  CHECK(back_again->sum == 2 * mib);
  CHECK(back_again->memory != memory_at(bytes.trusted_bytes().data()));  // it is the one's own
  CHECK(two.blocking_ask<look>(patience, bytes)->memory == memory_at(bytes.trusted_bytes().data()));
  front.stop(mine);
  check_stops(front);
}

TEST_CASE("bulk: one that nobody takes any more goes back, however its message ended") {
  troupe::node back = start_listening({.name = "back", .workers = 2});
  troupe::node front = start({.name = "front", .workers = 2, .shared_memory = 16 * mib + rings});
  join(front, back.endpoints()[0]);
  const auto local = back.spawn({.worker = 1}, run_reader);
  const auto seen = seen_from(front, back, local);
  // A message to the dead: never decoded.
  back.stop(local);
  CHECK(eventually([&] { return back.live_actors() == 2; }));
  CHECK(seen.blocking_ask<hold>(patience, painted(front, 16 * mib, 1)).error() == errc::no_such_actor);
  CHECK(room_for(front, 16 * mib));
  // In a mailbox that ends as dead letters.
  const auto deaf = back.spawn([](self<gift> me) -> actor { co_await me.sleep(1h); });
  const auto deaf_seen = seen_from(front, back, deaf);
  CHECK(deaf_seen.blocking_send<gift>(patience, painted(front, 16 * mib, 1)).has_value());
  CHECK_FALSE(front.loan(1).has_value());
  back.kill(deaf);
  CHECK(room_for(front, 16 * mib));
  check_stops(front);
  check_stops(back);
}
