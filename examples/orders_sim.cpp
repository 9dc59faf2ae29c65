// The order pipeline under simulation: every stage is a node on a host of its own, and the network and the machines
// misbehave as each seed says. Whatever happens, the ledger must be, byte for byte, what one plain loop writes.
//
//   orders_sim --seeds 100                  # exit 0: every ledger was right
//   orders_sim --seeds 100 --break dedup    # exit 1: a bug is put in, and found
//
// Links break, and any stage is killed in mid-run, once or many times: it is started anew as its first life was, and the
// pipeline recovers as stages.hpp says. (The ledger's file is on the real disk: so the loss of
// power is left out, and what was written when its process dies is there.)
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <troupe/sim.hpp>
#include <troupe/troupe.hpp>

#include "demo/temporary_folder.hpp"
#include "orders/deployment.hpp"
#include "orders/generate.hpp"
#include "orders/reference.hpp"
#include "orders/stages.hpp"

using namespace std::chrono_literals;
using troupe::sim::fault;

namespace {

constexpr std::uint64_t lines = 400;
constexpr std::uint64_t window = 32;  // few lines are under way at a time, so a kill hits the middle

/// Keeps this node linked with that peer.
troupe::actor run_joiner(troupe::self<troupe::protocol<>> self, std::string peer) {
  const std::string url = "tcp://" + peer + ":1";
  const auto is_linked = [&](const troupe::link_info& l) { return l.node == peer && l.lane != "none"; };
  while (!self.stopping()) {
    if (std::ranges::any_of(self.node().links(), is_linked)) {
      co_await self.sleep(10ms);
    } else {
      (void)co_await self.node().join(url);
    }
  }
}

struct ledger_end {
  std::uint64_t written = 0;
  bool finished = false;
  std::string failure;
};

troupe::actor run_reader(troupe::self<troupe::protocol<>> self, std::shared_ptr<ledger_end> end) {
  while (!end->finished && end->failure.empty()) {
    co_await self.sleep(100us);
    const auto ledger = co_await self.node().lookup<orders::report>(orders::ledger_name).within(1s);
    if (!ledger) continue;
    const auto now = co_await ledger->ask<orders::report>().within(1s);
    if (!now) continue;
    end->written = now->written;
    end->failure = now->failure;
    end->finished = now->finished;
  }
}

/// What went wrong; empty: nothing.
std::string run_seed(std::uint64_t seed, orders::plan plan, const std::string& expected) {
  for (const std::string& old : {plan.ledger_file, orders::partial_of(plan.ledger_file)})
    std::filesystem::remove(old);
  const auto faults = troupe::sim::fault_set::all().without(fault::power_loss);
  troupe::sim::world world({.seed = seed, .faults = faults});
  const auto end = std::make_shared<ledger_end>();
  std::vector<troupe::sim::process*> stages;
  // They are stopped in the order in which they were started: first stage first, so that nobody misses one.
  auto placements = orders::deployment(orders::layout::tcp);
  std::ranges::reverse(placements);
  for (const orders::placement& p : placements) {
    const std::string name(p.node);
    troupe::node_options options;
    options.name = name;
    options.listen = {"tcp://0.0.0.0:1"};
    options.supervision = {.most_restarts = 1000, .within = 1s};
    stages.push_back(&world.start(options, [p, plan, end](troupe::sim::process& self) {
      troupe::node& node = self.node();
      for (const std::string_view peer : p.joins) node.spawn(run_joiner, std::string(peer));
      for (const std::string_view stage : p.stages) orders::spawn_stage(node, stage, plan, 0);
      if (self.name() == "ledger") node.spawn(run_reader, end);
    }));
  }
  const auto over = [&] { return end->finished || !end->failure.empty(); };
  for (std::uint64_t kills = world.random(4); kills > 0; --kills) {  // beside those of the faults
    const std::uint64_t at = world.random(lines);
    world.run_until([&] { return over() || end->written >= at; }, 1s);
    world.kill(*stages[world.random(stages.size())], std::chrono::milliseconds(world.random(100)));
  }
  world.run_until(over, 2s);
  world.heal();
  world.run_until(over, 60s);
  if (!end->finished) return "the ledger was not finished: " + end->failure;
  const auto hash = orders::sha256_file(plan.ledger_file);
  if (!hash) return hash.error().text;
  if (*hash != expected) return "the ledger is not what the rules say: " + *hash + " instead of " + expected;
  world.run_for(30s);  // what is being looked for and dialled comes back, or is given up
  return world.check();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The order pipeline under simulation.");
  std::uint64_t seeds = 20;
  std::uint64_t first = 1;
  std::string broken;
  app.add_option("--seeds", seeds, "so many seeds")->check(CLI::Range(1u, 1u << 30));
  app.add_option("--first", first, "the first of them")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62));
  app.add_option("--break", broken, "put a bug in: dedup, orders with an id that was used before are taken")
      ->check(CLI::IsMember({"dedup"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "orders_sim: %s (--help lists the flags)\n", e.what());
    return 2;
  }
  const auto folder = demo::temporary_folder::make("orders-sim");
  if (!folder) {
    std::fprintf(stderr, "orders_sim: %s\n", folder.error().text.c_str());
    return 2;
  }
  orders::plan plan;
  plan.orders_file = (*folder)->path() + "/orders.csv";
  plan.stock_file = (*folder)->path() + "/stock.csv";
  plan.ledger_file = (*folder)->path() + "/ledger.csv";
  plan.window = window;
  plan.resume = true;
  plan.break_dedup = broken == "dedup";
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const std::string reference = (*folder)->path() + "/reference.csv";
    const auto made = orders::generate(lines, seed, plan.orders_file, plan.stock_file);
    if (!made || !orders::run_reference(plan.orders_file, plan.stock_file, reference)) return 2;
    const auto expected = orders::sha256_file(reference);
    if (!expected) return 2;
    const std::string wrong = run_seed(seed, plan, *expected);
    if (wrong.empty()) continue;
    std::printf("seed %llu: %s\nreplay: orders_sim --first %llu --seeds 1%s\n",
                static_cast<unsigned long long>(seed), wrong.c_str(), static_cast<unsigned long long>(seed),
                plan.break_dedup ? " --break dedup" : "");
    return 1;
  }
  std::printf("%llu seeds, every ledger as the rules say\n", static_cast<unsigned long long>(seeds));
  return 0;
}
