#include "sim/universe.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <troupe/assert.hpp>

namespace troupe::detail {
namespace {

using namespace std::chrono_literals;
using sim::fault;

/// Those that strike at drawn times; the others befall operations.
constexpr std::array strikes = {fault::clog,  fault::cut,   fault::reset, fault::hang_up,   fault::jump,
                                fault::stall, fault::pause, fault::kill,  fault::power_loss};

std::array<chance, sim::fault_kinds> split_all(chance& from) noexcept {
  const auto one = [&] { return from.split(); };
  return {one(), one(), one(), one(), one(), one(), one(), one(), one(),
          one(), one(), one(), one(), one(), one(), one(), one()};
}

}  // namespace

universe::universe(std::uint64_t seed, sim::fault_set allowed, duration longest)
    : end_(now_ + longest),
      seeds_(seed),
      schedule_(seeds_.split()),
      network_(seeds_.split()),
      chances_(split_all(seeds_)),
      strikes_(seeds_.split()),
      used_(sim::fault_set::none()),
      mean_between_strikes_(strikes_.between(5ms, 200ms)) {
  // Which kinds this seed uses does not depend on which are allowed.
  for (std::size_t i = 0; i < sim::fault_kinds; ++i) {
    const auto kind = static_cast<fault>(i);
    const bool drawn = strikes_.one_in(2);
    if (drawn && allowed.has(kind)) used_ = used_.with(kind);
  }
  at(now_ + mean_between_strikes_, [this] { strike(); });
}

universe::~universe() {
  TROUPE_ASSERT(processes_.empty(), "end every simulated process before its universe");
}

void universe::at(instant when, std::function<void()> what) {
  events_.push({when, next_event_++, std::move(what)});
}

void universe::run_due_events() {
  while (!events_.empty() && events_.top().when <= now_) {
    const std::function<void()> what = events_.top().what;
    events_.pop();
    what();
  }
}

bool universe::step(instant until) {
  TROUPE_ASSERT(now_ < end_, "a simulation is over in the time that it was given (world_options::longest)");
  run_due_events();
  ready_.clear();
  instant next = events_.empty() ? instant::max() : events_.top().when;
  for (const auto& p : processes_) {
    if (!p->alive()) continue;
    for (std::size_t i = 0; i < p->workers().size(); ++i) {
      const sim_process::sim_worker& each = p->workers()[i];
      instant due = each.io->asleep() ? p->universal(each.io->until()) : now_;
      due = std::max({due, p->paused_until, each.stalled_until});
      if (due <= now_) {
        ready_.push_back({p.get(), i});
      } else {
        next = std::min(next, due);
      }
    }
  }
  if (ready_.empty()) {
    if (next == instant::max() && until == instant::max()) return false;
    now_ = std::max(now_, std::min(next, until));
    return true;
  }
  const candidate chosen = ready_[ready_.size() == 1 ? 0 : schedule_.below(ready_.size())];
  now_ += duration(200 + static_cast<duration::rep>(schedule_.below(4096)));
  trace(static_cast<std::uint64_t>(now_.time_since_epoch().count()) ^ std::uint64_t{chosen.worker} << 60 ^
        static_cast<std::uint64_t>(chosen.process->process_id()) << 48);
  chosen.process->workers()[chosen.worker].w->turn(true);
  return true;
}

// Processes.

sim_process& universe::start_process(std::string host, bool mortal) {
  auto& p = *processes_.emplace_back(
      std::make_unique<sim_process>(*this, std::move(host), mortal, next_pid_++, seeds_.next()));
  if (roll(fault::skew, 1)) p.skew(static_cast<std::int64_t>(of(fault::skew).below(1001)) - 500);
  return p;
}

void universe::end_process(sim_process& p) {
  p.kill();
  std::erase_if(processes_, [&](const auto& each) { return each.get() == &p; });
}

std::shared_ptr<sim_pidfd> universe::pidfd_of(std::int32_t pid) {
  const bool lives =
      std::ranges::any_of(processes_, [&](const auto& p) { return p->alive() && p->process_id() == pid; });
  auto made = std::make_shared<sim_pidfd>(!lives);
  pidfds_.emplace(pid, made);
  return made;
}

void universe::process_died(std::int32_t pid) {
  // Its end is told some time after its connections have ended, or before.
  at(now_ + network_.between(1us, 5ms), [this, pid] {
    const auto [first, last] = pidfds_.equal_range(pid);
    for (auto each = first; each != last; ++each) {
      if (const auto fd = each->second.lock()) fd->process_ended();
    }
    pidfds_.erase(pid);
  });
}

// The network.

std::uint16_t universe::free_port(const std::string& host) {
  return next_port_.try_emplace(host, std::uint16_t{40000}).first->second++;
}

std::int32_t universe::pid_behind(const sim_socket& end) const {
  const sim_connection* const c = end.connection();
  if (c == nullptr) return 0;
  const sim_process* const other = c->owners[1 - end.end()];
  for (const auto& p : processes_) {
    if (p.get() == other) return p->process_id();
  }
  return 0;
}

void universe::dial(const std::shared_ptr<sim_socket>& from, std::string key) {
  const bool refused = !from->local() && roll(fault::refuse, 3);
  at(now_ + network_.between(5us, from->local() ? 20us : 300us),
     [this, socket = std::weak_ptr(from), key = std::move(key), refused] {
       const std::shared_ptr<sim_socket> dialler = socket.lock();
       if (dialler == nullptr || !dialler->connects()) return;  // given up
       const auto found = listeners_.find(key);
       if (refused || found == listeners_.end()) return dialler->connection_failed(ECONNREFUSED);
       sim_listener& l = *found->second;
       const auto c = std::make_shared<sim_connection>();
       c->local = dialler->local();
       auto answering = std::make_shared<sim_socket>(*this, l.owner(), c->local);
       dialler->attach(c, 0);
       answering->attach(c, 1);
       std::erase_if(connections_, [](const auto& w) { return w.expired(); });
       connections_.push_back(c);
       l.arrive(std::move(answering));
       dialler->advance();
     });
}

void universe::transmit(const connection_ptr& c, unsigned from, sim_piece piece) {
  sim_flow& flow = c->flows[from];
  const duration travel = c->local ? network_.between(1us, 10us) : network_.between(20us, 200us);
  instant when = now_ + travel;
  if (now_ < flow.slow_until) when += flow.slowness;
  when = std::max(when, flow.last_arrival);
  flow.last_arrival = when;
  const bool at_once = c->local && !piece.descriptors.empty();
  const std::uint64_t number = piece.number = ++flow.sent;
  flow.under_way.push_back(std::move(piece));
  at(when, [this, c, from, number] { deliver(c, from, number); });
  // As between two local sockets: what was sent can be received when the call returns, which who passes descriptors relies on.
  while (at_once && !flow.under_way.empty()) arrive(c, from);
}

/// The piece arrives, unless the way is cut: then with all that follow, afterwards.
void universe::deliver(const connection_ptr& c, unsigned from, std::uint64_t number) {
  sim_flow& flow = c->flows[from];
  if (now_ < flow.blocked_until)
    return at(flow.blocked_until, [this, c, from, number] { deliver(c, from, number); });
  // Else it was lost in a reset, or came at once.
  if (!flow.under_way.empty() && flow.under_way.front().number <= number) arrive(c, from);
}

void universe::arrive(const connection_ptr& c, unsigned from) {
  sim_flow& flow = c->flows[from];
  sim_piece piece = std::move(flow.under_way.front());
  flow.under_way.pop_front();
  sim_socket* const to = c->ends[1 - from];
  if (to == nullptr) {  // it has hung up: what comes is answered with a reset
    if (piece.what == sim_piece::kind::bytes) reset(c);
    return;
  }
  if (piece.what == sim_piece::kind::rst) return reset(c);
  flow.arrived.push_back(std::move(piece));
  to->advance();
}

void universe::reset(const connection_ptr& c) {
  c->broken = true;
  for (sim_flow& flow : c->flows) {
    flow.under_way.clear();
    flow.arrived.clear();
  }
  for (sim_socket* const end : c->ends) {
    if (end != nullptr) end->advance();
  }
}

// Faults.

bool universe::roll(fault kind, std::uint64_t n) noexcept {
  const bool hit = of(kind).one_in(n);
  if (!hit || !uses(kind)) return false;
  count(kind);
  return true;
}

void universe::strike() {
  if (healed_) return;
  const fault kind = strikes[strikes_.below(strikes.size())];
  if (uses(kind)) strike(kind);
  const auto mean = static_cast<std::uint64_t>(mean_between_strikes_.count());
  at(now_ + duration(static_cast<duration::rep>(strikes_.between(mean / 4, 2 * mean))), [this] { strike(); });
}

connection_ptr universe::some_connection(chance& by, bool local) {
  std::vector<connection_ptr> those;
  for (const auto& w : connections_) {
    connection_ptr c = w.lock();
    if (c != nullptr && c->local == local && !c->broken && !c->hung_up) those.push_back(std::move(c));
  }
  return those.empty() ? nullptr : those[by.below(those.size())];
}

void universe::store_comes(sim_process& by) {
  if (!uses(fault::torn_store) || !of(fault::torn_store).one_in(1000)) return;
  if (on_kill && on_kill(&by)) count(fault::torn_store);
}

sim_process* universe::some_process(chance& by) {
  std::vector<sim_process*> living;
  for (const auto& p : processes_) {
    if (p->alive()) living.push_back(p.get());
  }
  return living.empty() ? nullptr : living[by.below(living.size())];
}

/// Not a host with an immortal on it.
bool universe::lose_power(const std::string& host, chance& by) {
  std::vector<sim_process*> there;
  for (const auto& p : processes_) {
    if (p->alive() && p->host() == host) there.push_back(p.get());
  }
  if (!on_kill || !std::ranges::all_of(there, &sim_process::mortal)) return false;
  for (sim_process* const p : there) on_kill(p);
  disk_of(host).lose_power(by);
  return true;
}

void universe::strike(fault kind) {
  chance& by = of(kind);
  switch (kind) {
    case fault::clog:
    case fault::cut:
    case fault::reset: {
      const connection_ptr c = some_connection(by, false);
      if (c == nullptr) return;
      sim_flow& flow = c->flows[by.below(2)];
      if (kind == fault::reset) reset(c);
      if (kind == fault::cut) flow.blocked_until = now_ + by.between(1ms, 2s);
      if (kind == fault::clog) {
        flow.slow_until = now_ + by.between(1ms, 500ms);
        flow.slowness = by.between(1ms, 50ms);
      }
      break;
    }
    case fault::hang_up: {
      const connection_ptr c = some_connection(by, true);
      if (c == nullptr) return;
      c->hung_up = true;  // what was sent before is still there to be read
      for (unsigned from : {0u, 1u}) transmit(c, from, {.what = sim_piece::kind::fin});
      break;
    }
    case fault::kill:
      if (!on_kill || !on_kill(nullptr)) return;
      break;
    case fault::power_loss: {
      const sim_process* const p = some_process(by);
      if (p == nullptr || !lose_power(p->host(), by)) return;
      break;
    }
    default: {
      sim_process* const p = some_process(by);
      if (p == nullptr || p->workers().empty()) return;
      if (kind == fault::jump) p->leap(by.between(1ms, 3s));
      if (kind == fault::pause) p->paused_until = now_ + by.between(1ms, 1s);
      if (kind == fault::stall)
        p->workers()[by.below(p->workers().size())].stalled_until = now_ + by.between(100us, 200ms);
    }
  }
  count(kind);
}

void universe::heal() {
  healed_ = true;
  for (const auto& w : connections_) {
    const connection_ptr c = w.lock();
    if (c == nullptr) continue;
    for (unsigned from : {0u, 1u}) {
      sim_flow& flow = c->flows[from];
      flow.slow_until = flow.blocked_until = now_;
      for (const sim_piece& p : flow.under_way)
        at(now_, [this, c, from, number = p.number] { deliver(c, from, number); });
    }
  }
  for (const auto& p : processes_) {
    p->paused_until = now_;
    for (auto& each : p->workers()) each.stalled_until = now_;
  }
}

}  // namespace troupe::detail

namespace troupe::sim {

std::string_view to_string(fault kind) noexcept {
  switch (kind) {
    case fault::short_io: return "short_io";
    case fault::clog: return "clog";
    case fault::cut: return "cut";
    case fault::reset: return "reset";
    case fault::hang_up: return "hang_up";
    case fault::refuse: return "refuse";
    case fault::no_descriptors: return "no_descriptors";
    case fault::no_segment: return "no_segment";
    case fault::disk_error: return "disk_error";
    case fault::skew: return "skew";
    case fault::jump: return "jump";
    case fault::stall: return "stall";
    case fault::pause: return "pause";
    case fault::kill: return "kill";
    case fault::power_loss: return "power_loss";
    case fault::torn_store: return "torn_store";
    case fault::no_memory: return "no_memory";
  }
  return "unknown";
}

}  // namespace troupe::sim
