// troupe::sim: whole systems of nodes on one thread, in virtual time, where chance and faults come from a seed.
//
//   troupe::sim::world world({.seed = 7});
//   world.start({.name = "bank", .listen = {"tcp://bank:1"}}, [](auto& p) { p.node().spawn(run_bank); });
//   world.start({.name = "till"}, [&](auto& p) { p.node().spawn(run_till, paid); });
//   REQUIRE(world.run_until([&] { return *paid == 100; }, 60s));
//   REQUIRE(world.check() == "");
//
// The nodes, actors, mailboxes and links are the objects that are shipped; only the env beneath them is another. A node
// lives in a simulated process on a simulated host of its own: "tcp://bank:1" is port 1 of the host of the process "bank".
// Nodes with the same host (process_options) reach each other by tcp://127.0.0.1:PORT, and over shared memory.
//
// The same seed gives the same run, whatever compiler made the program, as long as what the actors do depends on messages, clocks and
// chance of their node only (and not, for instance, on the order of a hash table of pointers).
//
// Thread-safety: none. A world and everything in it stay on one thread; a process has one world at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/node.hpp>
#include <troupe/sim_faults.hpp>

namespace troupe::sim {

class world;
namespace detail {
struct inside;
}

struct world_options {
  std::uint64_t seed = 1;
  fault_set faults = fault_set::all();       // which kinds the seed may draw from
  duration longest = std::chrono::hours(1);  // virtual; a world that goes on for longer is stuck: asserted
  std::function<void(std::string_view)> log = {};  // takes the lines of troupe::log; null: they are dropped
};

struct process_options {
  std::string host = {};  // where it runs; empty: a host of its own, called as the node
  bool mortal = true;     // fault::kill may kill it; a host with an immortal process never loses power
};

/// A process with one node, which is started again some time after it was killed.
class process {
 public:
  const std::string& name() const noexcept { return name_; }
  bool alive() const noexcept { return node_ != nullptr && !dead_; }
  /// Only while it is alive. Each life has another node.
  troupe::node& node() const noexcept;
  unsigned lives() const noexcept { return lives_; }  // 1 before the first restart

 private:
  friend class world;
  friend struct detail::inside;
  process() = default;
  std::string name_;
  unsigned lives_ = 0;
  bool dead_ = false;  // killed, and not yet buried
  std::unique_ptr<troupe::node> node_;
};

class world {
 public:
  /// Takes the sink of troupe::log for as long as it lives; afterwards the default sink is back.
  explicit world(world_options options);
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world();  // stops what runs

  /// Starts a node; its `world`, and `workers` if they are 0 (then 2), are filled in. `boot` is called now and after each
  /// restart: it spawns the actors of that life. Asserts that the options are good.
  process& start(node_options options, std::function<void(process&)> boot, process_options how = {});
  /// SIGKILL, now, and a restart after `down`. Nothing that the process does from now on reaches anybody; but the
  /// objects in it are destroyed in order, so that the destructors of a simulated dead do run (they may ask alive()).
  void kill(process& who, duration down);

  /// Lets the world go on until done(), asked after each turn of a worker, or until so much virtual time has passed: the
  /// answer is what done() said last.
  bool run_until(const std::function<bool()>& done, duration within);
  void run_for(duration time) {
    run_until([] { return false; }, time);
  }
  /// No more faults: what was cut, clogged, stalled or paused goes on, and the dead are started again.
  void heal();
  /// Heals, lets the world come to rest, stops every node, and looks: nothing was pending at some moment, every actor ended when it
  /// was asked to, the books of each node balance, and nothing of the runtime's memory is left over. What is wrong, a line
  /// each; empty: nothing. The world is over then: every process is down for good.
  std::string check(duration within = std::chrono::seconds(60));

  /// Virtual time since the start.
  duration elapsed() const noexcept;
  /// 0…limit-1 from the seed, for choices of the test itself.
  std::uint64_t random(std::uint64_t limit) noexcept;
  /// Enters something that the test saw into the trace.
  void note(std::uint64_t what) noexcept;
  /// A hash of everything that happened until now: equal runs have equal traces.
  std::uint64_t trace() const noexcept;
  const fault_counts& injected() const noexcept;

 private:
  std::unique_ptr<detail::inside> in_;
};

}  // namespace troupe::sim
