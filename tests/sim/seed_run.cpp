#include "seed_run.hpp"

#include <algorithm>
#include <array>
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

/// The time of faults; now and then somebody looks into a node.
void run_traffic(scene& s, const std::vector<const process*>& all) {
  const auto done = [&s] { return s.unfinished().empty(); };
  const troupe::duration until = s.world.elapsed() + traffic_time;
  while (!done() && s.world.elapsed() < until) {
    const auto pause = std::chrono::milliseconds(1 + s.world.random(400));
    s.world.run_until(done, std::min<troupe::duration>(pause, until - s.world.elapsed()));
    const process& seen = *all[s.world.random(all.size())];
    if (!seen.alive()) continue;
    const troupe::node_info info = seen.node().inspect({.patience = 100ms});
    s.world.note(info.actors.size());
    const bool told = info.actors.size() + info.busy_workers.size() != 0;
    if (!told) s.violated("inspect: " + seen.name() + " says nothing of its actors");
  }
}

/// Whether a link has ended because the peer broke the rules of the wire: here everybody keeps them.
bool is_a_breach(std::string_view line) {
  constexpr std::array<std::string_view, 11> honest = {"both have said goodbye",
                                                       "it was closing",
                                                       "it was closed without a connection",
                                                       "the peer's process has ended",
                                                       "the connection ended without a goodbye",
                                                       "the peer did not say goodbye in time",
                                                       "the peer does not know the session any more",
                                                       "nobody listens where the peer did",
                                                       "another process has taken the peer's name",
                                                       "the peer has begun anew",
                                                       "the peer has said nothing for its lease"};
  constexpr std::string_view ended = " has ended: ";
  const std::size_t at = line.find(ended);
  return at != line.npos && std::ranges::find(honest, line.substr(at + ended.size())) == honest.end();
}

}  // namespace

outcome run_seed(std::uint64_t seed, troupe::sim::fault_set allowed, bool log) {
  scene_ptr s;  // none yet: the world is made with the log
  const auto hear = [&s, log](std::string_view line) {
    if (s == nullptr) return;
    if (is_a_breach(line)) s->violated("protocol: " + std::string(line));
    if (line.find("does not know the session") != line.npos) s->session_gone = true;
    if (line.find(" goes on over shm") != line.npos) ++s->moved;
    if (line.find("(shared memory was lost)") != line.npos) ++s->fell;
    if (!log) return;
    const auto when = s->world.elapsed() / std::chrono::microseconds(1);
    std::fprintf(stderr, "%10lld us  %.*s\n", static_cast<long long>(when), static_cast<int>(line.size()),
                 line.data());
  };
  auto owned = std::make_unique<troupe::sim::world>(
      troupe::sim::world_options{.seed = seed, .faults = allowed, .longest = 10min, .log = hear});
  troupe::sim::world& world = *owned;
  s = std::make_shared<scene>(world);
  const std::vector<const process*> all = start_system(s);
  world.run_for(30ms);  // until every talker has begun
  run_traffic(*s, all);
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
  for (const process* const p : all) {
    if (!p->alive()) continue;
    for (const troupe::link_info& l : p->node().links()) {
      o.resumed += l.resumed;
      // Who goes on knows exactly what has arrived, and nothing overtakes on a connection.
      if (l.duplicates != 0) s->violated("session: what " + l.node + " had sent came twice to " + p->name());
    }
  }
  o.moved = s->moved;
  o.fell = s->fell;
  o.injected = world.injected();
  if (stuck) {
    static_cast<void>(owned.release());  // a node that is stuck cannot be stopped
  } else {
    o.violations = world.check();
  }
  std::string told;
  for (const std::string& v : s->violations) told += v + "\n";
  o.violations.insert(0, told);
  s.reset();
  return o;
}

}  // namespace seeds
