// The world of troupe/sim.hpp: processes that live, are killed and start again in a universe (runtime/sim/universe.hpp).
#include <algorithm>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/pool.hpp>
#include <troupe/log.hpp>
#include <troupe/sim.hpp>

#include "sim/universe.hpp"

namespace troupe::sim {

using namespace std::chrono_literals;
using troupe::detail::chance;
using troupe::detail::sim_process;
using troupe::detail::universe;

namespace detail {

/// What a process is made from, again and again, and its present life.
struct home {
  std::unique_ptr<process> face;
  node_options options;
  std::function<void(process&)> boot;
  process_options how;
  sim_process* life = nullptr;  // null: it is down
  bool killed = false;          // and not yet buried
  instant restart_at{};
};

struct inside {
  explicit inside(const world_options& o)
      : frames_before(troupe::detail::pool_blocks_out()),
        own(o.seed ^ 0x5EED'0F'7E57u),
        all(o.seed, o.faults, o.longest) {
    all.on_kill = [this](const sim_process* whom) { return kill_one(whom); };
    all.after_step = [this](const sim_process* waiting) { tend(waiting); };
  }

  static process* new_process() { return new process; }

  void begin_life(home& h) {
    h.life = &all.start_process(h.how.host, h.how.mortal);
    node_options options = h.options;
    options.world = h.life;
    options.key.clear();
    options.peers.clear();
    options.plaintext = true;  // nobody is on the way; and secure channels draw their keys past the seed
    auto started = node::start(std::move(options));
    if (!started) {  // its port is somebody else's by now: as a supervisor would, it tries again
      TROUPE_ASSERT(h.face->lives_ != 0, started.error().text.c_str());
      all.end_process(*std::exchange(h.life, nullptr));
      h.restart_at = all.now() + 50ms;
      all.at(h.restart_at, [] {});
      return;
    }
    h.face->node_ = std::make_unique<node>(std::move(*started));
    h.face->dead_ = false;
    ++h.face->lives_;
    h.boot(*h.face);
  }

  void kill(home& h, duration down) {
    h.life->kill();
    h.killed = true;
    h.face->dead_ = true;
    h.restart_at = all.now() + down;
    all.at(h.restart_at, [] {});  // so that the clock stops there
  }

  /// That process, or any (null).
  bool kill_one(const sim_process* whom) {
    chance& by = all.of(fault::kill);
    std::vector<home*> victims;
    for (const auto& h : homes) {
      const bool meant = whom == nullptr || h->life == whom;
      if (meant && h->how.mortal && h->life != nullptr && !h->killed) victims.push_back(h.get());
    }
    if (victims.empty()) return false;
    const duration down = by.between(1ms, 2s);  // by itself: compilers differ in the order of arguments
    kill(*victims[by.below(victims.size())], down);
    return true;
  }

  void bury(home& h) {
    std::unique_ptr<node> dead = std::move(h.face->node_);  // nobody may ask it any more
    dead->stop(0s);
    dead.reset();
    all.end_process(*std::exchange(h.life, nullptr));
    h.killed = false;
  }

  /// Buries the dead and starts them again; not the one that a thread of its own waits in.
  void tend(const sim_process* waiting = nullptr) {
    for (std::size_t i = 0; i < homes.size(); ++i) {  // what is started may start more
      home& h = *homes[i];
      if (h.killed && h.life != waiting) bury(h);
      if (h.life == nullptr && !over && all.now() >= h.restart_at) begin_life(h);
    }
  }

  /// What is pending in any node's books; empty: the world has come to rest.
  std::string unrest() {
    for (std::size_t i = 0; i < homes.size(); ++i) {
      const home& h = *homes[i];
      if (h.life == nullptr) return h.face->name_ + " is down";
      const accounting books = h.face->node_->accounting();
      if (books.pending != 0) return h.face->name_ + ": " + books.text();
    }
    return {};
  }

  std::uint64_t frames_before;
  chance own;
  universe all;
  std::vector<std::unique_ptr<home>> homes;
  bool over = false;  // nothing is started any more
};

}  // namespace detail

node& process::node() const noexcept {
  TROUPE_ASSERT(alive(), "this process is down: ask alive() first");
  return *node_;
}

world::world(world_options options) {
  set_log_sink([log = options.log](log_level, std::string_view line) {
    if (log) log(line);
  });
  in_ = std::make_unique<detail::inside>(options);
}

world::~world() {
  in_->over = true;
  for (const auto& h : in_->homes) {
    if (h->life == nullptr) continue;
    if (!h->killed) h->face->node_->stop();
    h->face->node_.reset();
    in_->all.end_process(*h->life);
  }
  in_.reset();
  set_log_sink({});
}

process& world::start(node_options options, std::function<void(process&)> boot, process_options how) {
  auto h = std::make_unique<detail::home>();
  h->face.reset(detail::inside::new_process());
  h->face->name_ = options.name;
  if (how.host.empty()) how.host = options.name;
  if (options.workers == 0) options.workers = 2;
  h->options = std::move(options);
  h->boot = std::move(boot);
  h->how = std::move(how);
  detail::home& started = *in_->homes.emplace_back(std::move(h));
  in_->begin_life(started);
  return *started.face;
}

void world::kill(process& who, duration down) {
  const auto found = std::ranges::find(in_->homes, &who, [](const auto& h) { return h->face.get(); });
  TROUPE_ASSERT(found != in_->homes.end(), "kill a process of this world");
  if ((*found)->life == nullptr || (*found)->killed) return;
  in_->all.count(fault::kill);
  in_->kill(**found, down);
}

bool world::run_until(const std::function<bool()>& done, duration within) {
  const instant until = in_->all.now() + within;
  while (!done()) {
    if (in_->all.now() >= until) return false;
    in_->all.step(until);
    in_->tend();
  }
  return true;
}

void world::heal() {
  in_->all.heal();
  for (const auto& h : in_->homes) h->restart_at = std::min(h->restart_at, in_->all.now());
  in_->tend();
}

std::string world::check(duration within) {
  heal();
  const instant until = in_->all.now() + within;
  std::string unrest = in_->unrest();
  while (!unrest.empty() && in_->all.now() < until) {
    run_for(50ms);
    unrest = in_->unrest();
  }
  std::string wrong;
  if (!unrest.empty()) wrong += "drain: " + unrest + "\n";
  in_->over = true;
  for (const auto& h : in_->homes) {
    if (h->life == nullptr || h->face->node_->stop()) continue;
    for (const std::string& line : h->face->node_->overdue()) wrong += "stop: " + line + "\n";
  }
  for (const auto& h : in_->homes) {
    if (h->life == nullptr) continue;
    const accounting books = h->face->node_->accounting();  // exact now: nothing is on its way
    if (!books.balanced() || books.pending != 0) {
      wrong += "accounting: " + h->face->name_ + ": " + books.text() + "\n";
    }
    h->face->node_.reset();
    in_->all.end_process(*std::exchange(h->life, nullptr));
  }
  if (const std::uint64_t left = troupe::detail::pool_blocks_out(); left != in_->frames_before) {
    wrong += "memory: " + std::to_string(left) + " blocks of the pools are out, " +
             std::to_string(in_->frames_before) + " were before\n";
  }
  return wrong;
}

duration world::elapsed() const noexcept { return in_->all.now() - instant(1s); }
std::uint64_t world::random(std::uint64_t limit) noexcept {
  TROUPE_ASSERT(limit != 0, "random: there is no number below 0");
  return in_->own.below(limit);
}
void world::note(std::uint64_t what) noexcept { in_->all.trace(what); }
std::uint64_t world::trace() const noexcept { return in_->all.trace(); }
const fault_counts& world::injected() const noexcept { return in_->all.injected(); }

}  // namespace troupe::sim
