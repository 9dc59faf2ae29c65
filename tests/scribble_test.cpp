// A peer that scribbles at random over all that it may write, for TROUPE_SECONDS (3 otherwise), and links again whenever it is thrown
// out: the node lives on, its honest link is served all the while, and its memory does not grow.
#include "remote_support.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <fstream>

#include <troupe/log.hpp>

#include "scribbler.hpp"

namespace scribble {

struct echo {
  using reply = std::uint64_t;
  std::uint64_t number;
};
using echoing = troupe::protocol<echo, link_test::note>;

/// What the three processes share.
struct common {
  static constexpr std::size_t most = 4'000'000;
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> target{0};  // of the victim's actor
  std::atomic<std::uint64_t> port{0};    // of the victim
  std::atomic<std::uint64_t> links{0};   // of the scribbler
  std::atomic<std::uint64_t> acts{0};
  std::atomic<std::uint64_t> count{0};  // round trips of the honest peer
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint32_t> micros[most];
};
using shared_common = std::shared_ptr<common>;

inline shared_common make_common() {
  void* const at = ::mmap(nullptr, sizeof(common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return {new (at) common, [](common* c) { ::munmap(c, sizeof(common)); }};
}

inline troupe::actor run_echo(troupe::self<echoing> me) {
  co_await me.serve([](echo e) { return e.number; }, [](const link_test::note&) {});
}

inline void be_friend(const shared_common& all) {
  auto node = troupe::node::start({.name = "friend", .workers = 1});
  if (!node) ::_exit(1);
  const auto playing =
      test::start_playing(*node, [&](test::self<troupe::protocol<>>& me) -> troupe::task<void> {
        const auto joined = co_await me.node().join("tcp://127.0.0.1:" + std::to_string(all->port.load()));
        const auto to = co_await me.node().lookup<echoing>("echo").within(test::patience);
        if (!joined || !to) ::_exit(1);
        for (std::uint64_t n = 0; !all->over.load(); ++n) {
          const auto from = std::chrono::steady_clock::now();
          const auto back = co_await to->ask<echo>(n).within(test::patience);
          const auto took = std::chrono::steady_clock::now() - from;
          if (!back || *back != n) all->wrong.fetch_add(1);
          if (n < common::most)
            all->micros[n].store(static_cast<std::uint32_t>(took / std::chrono::microseconds(1)));
          all->count.store(n + 1);
          co_await me.sleep(std::chrono::microseconds(200));
        }
        ::_exit(all->wrong.load() == 0 ? 0 : 2);
      });
  test::stay();
}

inline void be_mallory(const shared_common& all) {
  troupe::endpoint at;
  at.host = "127.0.0.1";
  at.port = static_cast<std::uint16_t>(all->port.load());
  for (std::uint64_t seed = 1; !all->over.load(); ++seed) {
    try {
      hostile::scribbler s(at, all->target.load(), troupe::detail::wire_type_of<echo>.schema, seed);
      all->links.fetch_add(1);
      while (!all->over.load() && s.acts() < 500 && s.act()) all->acts.fetch_add(1);
    } catch (const std::runtime_error&) {  // the node has not forgotten the link before
    }
  }
}

inline std::uint64_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::strtoull(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

}  // namespace scribble

using namespace test;
using namespace scribble;

TEST_CASE("scribbling: a peer that writes at random all that it may harms nobody else") {
  const char* const text = std::getenv("TROUPE_SECONDS");
  const std::chrono::seconds length(text != nullptr ? std::strtoll(text, nullptr, 10) : 3);
  const shared_common all = make_common();
  child_process honest([all](auto) {
    while (all->port.load() == 0) std::this_thread::yield();
    be_friend(all);
  });
  child_process mallory([all](auto) {
    while (all->count.load() < 100) std::this_thread::yield();
    be_mallory(all);
  });
  troupe::set_log_sink([](troupe::log_level, std::string_view) {});  // a line for each link
  troupe::node victim = start_listening({.name = "victim", .workers = 1, .max_message = 1 << 20});
  const auto who = victim.spawn(run_echo);
  play(victim, [&](self<troupe::protocol<>>& me) -> troupe::task<void> {
    const auto published = co_await me.node().publish("echo", who);
    REQUIRE(published.has_value());
  });
  all->target.store(troupe::detail::address_of(who).wire_target());
  all->port.store(troupe::endpoint::parse(victim.endpoints()[0])->port);

  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t early = 0;
  std::uint64_t most = 0;
  std::uint64_t seen = 0;
  auto last_seen = begin;
  for (auto now = begin; now - begin < length; now = std::chrono::steady_clock::now()) {
    ::usleep(10'000);  // to look at the memory now and then; how long it takes is what is asked for
    if (now - begin < length / 3) early = std::max(early, resident_kib());
    most = std::max(most, resident_kib());
    if (all->count.load() != std::exchange(seen, all->count.load())) last_seen = now;
    if (now - last_seen > patience) break;
  }
  all->over.store(true);
  const int how = honest.wait();
  CHECK(WIFEXITED(how));
  CHECK(WEXITSTATUS(how) == 0);
  mallory.kill();
  CHECK(all->wrong.load() == 0);
  CHECK(eventually([&] { return link_to(victim, "mallory").lane == "none"; }));
  victim.stop(who);
  check_stops(victim);
  troupe::set_log_sink({});

  std::vector<std::uint32_t> trips(std::min<std::uint64_t>(all->count.load(), common::most));
  for (std::size_t i = 0; i < trips.size(); ++i) trips[i] = all->micros[i].load();
  REQUIRE(trips.size() > 100);
  std::ranges::sort(trips);
  std::printf(
      "%llu links, %llu acts; %zu round trips beside them: %u us (median), %u us (99 of 100), %u us (worst); "
      "%llu MiB resident in the first third, %llu MiB at most\n",
      static_cast<unsigned long long>(all->links.load()), static_cast<unsigned long long>(all->acts.load()),
      trips.size(), trips[trips.size() / 2], trips[trips.size() * 99 / 100], trips.back(),
      static_cast<unsigned long long>(early >> 10), static_cast<unsigned long long>(most >> 10));
  CHECK(all->links.load() > 3);
  CHECK(trips[trips.size() * 99 / 100] < 100'000 * slowdown);
  CHECK(most < early + (32u << 10) * slowdown);
}
