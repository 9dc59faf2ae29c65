// Cells: what is read is whole and new, in this process and in others, whatever becomes of the writer.
#include "remote_support.hpp"

#include <thread>

#include <troupe/cell.hpp>

namespace cells {

struct gauge {
  std::int64_t number = 0;
  std::int64_t twice = 0;
  std::array<std::int64_t, 14> more = {};  // the number, too

  static gauge of(std::int64_t n) {
    gauge g{n, 2 * n, {}};
    g.more.fill(n);
    return g;
  }
  bool whole() const { return *this == of(number); }
  bool operator==(const gauge&) const = default;
};

struct watch {
  troupe::cell_reader<gauge> level;
};
struct look {  // answered when the value is at least that
  using reply = std::int64_t;
  std::int64_t least;
};
struct pass_on {  // answered with how that ended
  using reply = std::string;
  troupe::ref<watch> to;
};
using watcher = troupe::protocol<watch, look, pass_on>;

inline troupe::actor run_watcher(troupe::self<watcher> me) {
  troupe::cell_reader<gauge> level;
  co_await me.serve([&](const watch& w) { level = w.level; },
                    [&](look l) -> troupe::task<std::int64_t> {
                      for (;;) {
                        const auto now = level.get();
                        if (!now || !now->whole()) co_return -1;
                        if (now->number >= l.least) co_return now->number;
                        co_await me.yield();
                      }
                    },
                    [&](pass_on p) -> troupe::task<std::string> {
                      const auto sent = co_await p.to.send<watch>(level);
                      co_return test::text_of(sent);
                    });
}

inline auto watching_process(const std::string& name) {
  return [name](auto say) {
    auto node = troupe::node::start({.name = name, .listen = {"tcp://127.0.0.1:0"}, .workers = 1});
    if (!node) ::_exit(1);
    auto who = node->spawn(run_watcher);
    test::play(*node, [&](test::self<troupe::protocol<>>& me) -> troupe::task<void> {
      const auto published = co_await me.node().publish(name, who);
      if (!published) ::_exit(1);
    });
    say(node->endpoints()[0]);
    test::stay();
  };
}

inline troupe::ref<watcher> watcher_named(troupe::node& from, const std::string& name) {
  troupe::ref<watcher> found;
  test::play(from, [&](test::self<troupe::protocol<>>& me) -> troupe::task<void> {
    const auto there = co_await me.node().template lookup<watcher>(name).within(test::patience);
    if (!there) throw std::runtime_error("no " + name);
    found = *there;
  });
  return found;
}

}  // namespace cells

using namespace test;
using namespace cells;

TEST_CASE("cell: a reader has the newest value, and a default one none") {
  troupe::node here = start({.name = "here", .workers = 1});
  auto made = here.make_cell(gauge::of(1));
  REQUIRE(made.has_value());
  const auto reader = made->reader();
  CHECK(reader.get()->number == 1);
  const std::uint64_t before = reader.version();
  made->set(gauge::of(2));
  CHECK(reader.get().value() == gauge::of(2));
  CHECK(reader.version() == before + 1);
  troupe::cell_reader<gauge> none;
  CHECK(none.get().error() == errc::closed);
  CHECK(none.version() == 0);
  none = reader;
  {
    const auto moved = std::move(*made);
    CHECK(none.get()->number == 2);
  }
  CHECK(none.get()->number == 2);  // the writer's end is no end of the value
  check_stops(here);
}

TEST_CASE("cell: readers beside a writer see whole values that never go back") {
  troupe::node here = start({.name = "here", .workers = 1});
  auto made = here.make_cell(gauge::of(0));
  REQUIRE(made.has_value());
  std::atomic<bool> over{false};
  std::atomic<unsigned> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&, reader = made->reader()] {
      for (std::int64_t last = 0; !over.load();) {
        const auto now = reader.get();
        if (!now || !now->whole() || now->number < last) wrong.fetch_add(1);
        if (now) last = now->number;
      }
    });
  }
  for (std::int64_t n = 1; n <= 200'000; ++n) made->set(gauge::of(n));
  over.store(true);
  for (std::thread& t : readers) t.join();
  CHECK(wrong.load() == 0);
  check_stops(here);
}

TEST_CASE("cell: another process reads it in place, also when the writer's node has ended") {
  child_process process(watching_process("there"));
  const std::string url = process.line();
  {
    troupe::node here = start({.name = "here", .workers = 1});
    join(here, url);
    const auto there = watcher_named(here, "there");
    auto level = here.make_cell(gauge::of(1));
    REQUIRE(level.has_value());
    CHECK(there.blocking_send<watch>(patience, level->reader()).has_value());
    for (std::int64_t n = 2; n < 100; ++n) {
      level->set(gauge::of(n));
      CHECK(there.blocking_ask<look>(patience, n).value() == n);
    }
    check_stops(here);
  }
  troupe::node later = start({.name = "later", .workers = 1});
  join(later, url);
  CHECK(watcher_named(later, "there").blocking_ask<look>(patience, 0).value() == 99);
  check_stops(later);
}

TEST_CASE("cell: it goes over no socket, and no further than to who got it from the writer") {
  for (const bool tcp : {true, false}) {
    INFO(tcp);
    two_nodes nodes(setting{.tcp = tcp, .workers = 1});
    const auto there = nodes.back.spawn(run_watcher);
    const auto seen = seen_from(nodes.front, nodes.back, there);
    const auto mine = nodes.front.spawn(run_watcher);
    auto level = nodes.front.make_cell(gauge::of(7));
    REQUIRE(level.has_value());
    const auto sent = seen.blocking_send<watch>(patience, level->reader());
    CHECK(text_of(sent) == (tcp ? "not encodable" : "ok"));
    if (!tcp) {
      CHECK(seen.blocking_ask<look>(patience, 7).value() == 7);
      CHECK(seen.blocking_ask<pass_on>(patience, mine).value() == "not encodable");
    }
    CHECK(seen.blocking_send<watch>(patience, troupe::cell_reader<gauge>()).has_value());
    CHECK(seen.blocking_ask<look>(patience, 7).value() == -1);
    nodes.back.stop(there);
    nodes.front.stop(mine);
    nodes.finish();
  }
}
