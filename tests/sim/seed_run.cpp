#include "seed_run.hpp"

#include <algorithm>
#include <cstdio>

#include "system.hpp"

namespace seeds {
namespace {

using troupe::accounting;
using troupe::sim::process;

constexpr auto traffic_time = 2s;  // virtual, with faults
constexpr auto drain_time = 20s;   // virtual, without: by then all work has ended

void sum_books(const std::vector<const process*>& all, std::uint64_t& undelivered, std::uint64_t& unknown) {
  for (const process* const p : all) {
    const accounting books = p->node().accounting();
    undelivered += books.undelivered_total();
    unknown += books.unknown;
  }
}

}  // namespace

outcome run_seed(std::uint64_t seed, troupe::sim::fault_set allowed, bool log) {
  static troupe::sim::world* running = nullptr;
  running = nullptr;
  const auto tell = [log](std::string_view line) {
    if (!log || running == nullptr) return;
    const auto when = running->elapsed() / std::chrono::microseconds(1);
    std::fprintf(stderr, "%10lld us  %.*s\n", static_cast<long long>(when), static_cast<int>(line.size()),
                 line.data());
  };
  auto owned = std::make_unique<troupe::sim::world>(
      troupe::sim::world_options{.seed = seed, .faults = allowed, .longest = 10min, .log = tell});
  running = owned.get();
  troupe::sim::world& world = *owned;
  const auto s = std::make_shared<scene>(world);
  const std::vector<const process*> all = start_system(s);
  world.run_for(30ms);  // until every talker has begun
  world.run_until([&] { return s->unfinished().empty(); }, traffic_time);
  s->over = true;
  world.heal();
  const bool drained = world.run_until([&] { return s->unfinished().empty(); }, drain_time);
  for (const std::string& what : s->unfinished()) s->violated("stuck: " + what + " has not ended");
  const bool answered = everybody_answers(s, all);
  if (!answered) s->violated("stuck: after the faults not every station answers every node");
  const bool stuck = !drained || !answered;
  world.run_for(200ms);  // DOWNs under way
  if (!stuck) {
    std::uint64_t undelivered = 0;
    std::uint64_t unknown = 0;
    sum_books(all, undelivered, unknown);
    s->judge(world.injected(), undelivered, unknown);
  }

  outcome o;
  o.nodes = all.size();
  o.messages = s->messages;
  o.trace = world.trace();
  o.injected = world.injected();
  for (const std::string& v : s->violations) o.violations += v + "\n";
  if (stuck) {
    static_cast<void>(owned.release());  // a node that is stuck cannot be stopped
  } else {
    o.violations += world.check();
  }
  running = nullptr;
  return o;
}

}  // namespace seeds
