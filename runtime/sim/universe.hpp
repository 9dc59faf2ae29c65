// The universe of a simulation: its clock, what is going to happen, the hosts and their processes, who runs next, and
// what goes wrong. Everything happens on one thread and is decided by the seed; where memory lies decides nothing.
//
// A step gives one worker that has a reason to run one turn; a turn takes a drawn time of the common clock. When nobody
// has a reason, the clock goes to the next event or to the end of the shortest sleep.
//
// Faults. Each seed draws which of the allowed kinds it uses. Kinds that befall an operation are drawn when it is made
// (roll); the others strike at drawn times. Each kind has a source of chance of its own, so that a failing seed can be
// repeated with some kinds off and stays as alike as can be.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include <troupe/sim_faults.hpp>

#include "sim/chance.hpp"
#include "sim/sim_disk.hpp"
#include "sim/sim_process.hpp"
#include "sim/sim_socket.hpp"

namespace troupe::detail {

class universe {
 public:
  universe(std::uint64_t seed, sim::fault_set allowed, duration longest);
  universe(const universe&) = delete;
  universe& operator=(const universe&) = delete;
  ~universe();

  instant now() const noexcept { return now_; }
  void at(instant when, std::function<void()> what);
  /// One turn of some worker, or one move of the clock, to `until` at most. False: nothing is left to happen before.
  bool step(instant until);

  sim_process& start_process(std::string host, bool mortal);
  /// It has been killed, or its node has stopped.
  void end_process(sim_process& p);
  /// Kills that process, or some (null), or says no.
  std::function<bool(sim_process*)> on_kill;
  /// Called after each step that a thread of that process waits for.
  std::function<void(sim_process* waiting)> after_step;
  void store_comes(sim_process& by);
  sim_disk& disk_of(const std::string& host) { return disks_[host]; }

  // Faults.
  bool uses(sim::fault kind) const noexcept { return !healed_ && used_.has(kind); }
  /// Whether this operation is hit, once in `n`.
  bool roll(sim::fault kind, std::uint64_t n) noexcept;
  chance& of(sim::fault kind) noexcept { return chances_[static_cast<std::size_t>(kind)]; }
  void count(sim::fault kind) noexcept { ++injected_[static_cast<std::size_t>(kind)]; }
  const sim::fault_counts& injected() const noexcept { return injected_; }
  /// No more faults, and the present ones end.
  void heal();

  // The network.
  void listen(const std::string& key, sim_listener& l) { listeners_[key] = &l; }
  void stop_listening(const std::string& key, const sim_listener& l) {
    if (const auto at = listeners_.find(key); at != listeners_.end() && at->second == &l)
      listeners_.erase(at);
  }
  bool listens(const std::string& key) const { return listeners_.contains(key); }
  void dial(const std::shared_ptr<sim_socket>& from, std::string key);
  void transmit(const connection_ptr& c, unsigned from, sim_piece piece);
  void reset(const connection_ptr& c);
  std::uint16_t free_port(const std::string& host);
  std::int32_t pid_behind(const sim_socket& end) const;
  std::shared_ptr<sim_pidfd> pidfd_of(std::int32_t pid);
  void process_died(std::int32_t pid);
  /// Whether a worker that could hand work to another does so now.
  bool gives_work() noexcept { return schedule_.one_in(4); }

  /// Enters something that happened into the trace.
  void trace(std::uint64_t what) noexcept { trace_ = (trace_ ^ what) * 0x0000'0100'0000'01B3u; }
  std::uint64_t trace() const noexcept { return trace_; }

 private:
  struct event {
    instant when;
    std::uint64_t number;  // of equal times, the first made comes first
    std::function<void()> what;
    bool operator<(const event& o) const noexcept {
      return when != o.when ? when > o.when : number > o.number;  // std::priority_queue: the greatest first
    }
  };
  void run_due_events();
  void strike();
  void strike(sim::fault kind);
  void deliver(const connection_ptr& c, unsigned from, std::uint64_t number);
  void arrive(const connection_ptr& c, unsigned from);
  connection_ptr some_connection(chance& by, bool local);
  sim_process* some_process(chance& by);
  bool lose_power(const std::string& host, chance& by);

  struct candidate {
    sim_process* process;
    std::size_t worker;
  };
  std::vector<candidate> ready_;  // of the present step
  instant now_{std::chrono::seconds(1)};
  instant end_;
  std::priority_queue<event> events_;
  std::uint64_t next_event_ = 0;
  chance seeds_;
  chance schedule_;
  chance network_;
  std::array<chance, sim::fault_kinds> chances_;
  chance strikes_;
  sim::fault_set used_;
  duration mean_between_strikes_;
  bool healed_ = false;
  sim::fault_counts injected_{};
  std::uint64_t trace_ = 0xCBF2'9CE4'8422'2325u;

  std::vector<std::unique_ptr<sim_process>> processes_;
  std::int32_t next_pid_ = 100;
  std::map<std::string, sim_disk> disks_;  // by host
  std::map<std::string, sim_listener*> listeners_;
  std::map<std::string, std::uint16_t> next_port_;
  std::vector<std::weak_ptr<sim_connection>> connections_;
  std::multimap<std::int32_t, std::weak_ptr<sim_pidfd>> pidfds_;
};

}  // namespace troupe::detail
