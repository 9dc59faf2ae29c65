// The order pipeline under simulation: every stage is a node on a host of its own, and the network and the machines
// misbehave as each seed says. Whatever happens, the ledger must be, byte for byte, what one plain loop writes.
//
//   orders_sim --seeds 100                  # exit 0: every ledger was right
//   orders_sim --seeds 100 --break dedup    # exit 1: a bug is put in, and found
//
// Faults that end a link are left out: the pipeline gives up then, and says so (stages.hpp).
#include <CLI/CLI.hpp>
#include <cstdio>
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

troupe::actor run_joiner(troupe::self<troupe::protocol<>> self, std::string url) {
  for (bool joined = false; !joined && !self.stopping();) {
    const auto answer = co_await self.node().join(url);
    joined = answer.has_value();
  }
}

struct ledger_end {
  bool finished = false;
  std::string failure;
};

troupe::actor run_reader(troupe::self<troupe::protocol<>> self, std::shared_ptr<ledger_end> end) {
  while (!end->finished && end->failure.empty()) {
    co_await self.sleep(1ms);
    const auto ledger = co_await self.node().lookup<orders::report>(orders::ledger_name).within(1s);
    if (!ledger) continue;
    const auto now = co_await ledger->ask<orders::report>().within(1s);
    if (!now) continue;
    end->failure = now->failure;
    end->finished = now->finished;
  }
}

/// What went wrong; empty: nothing.
std::string run_seed(std::uint64_t seed, orders::plan plan, const std::string& expected) {
  const auto faults =
      troupe::sim::fault_set::all().without(fault::reset).without(fault::kill).without(fault::power_loss);
  troupe::sim::world world({.seed = seed, .faults = faults});
  const auto end = std::make_shared<ledger_end>();
  for (const orders::placement& p : orders::deployment(orders::layout::tcp)) {
    const std::string name(p.node);
    troupe::node_options options;
    options.name = name;
    options.listen = {"tcp://0.0.0.0:1"};
    world.start(options, [p, plan, end](troupe::sim::process& self) {
      troupe::node& node = self.node();
      for (const std::string_view peer : p.joins) node.spawn(run_joiner, "tcp://" + std::string(peer) + ":1");
      for (const std::string_view stage : p.stages) orders::spawn_stage(node, stage, plan, 0);
      if (self.name() == "ledger") node.spawn(run_reader, end);
    });
  }
  world.run_until([&] { return end->finished || !end->failure.empty(); }, 120s);
  if (!end->finished) return "the ledger was not finished: " + end->failure;
  const auto hash = orders::sha256_file(plan.ledger_file);
  if (!hash) return hash.error().text;
  if (*hash != expected) return "the ledger is not what the rules say: " + *hash + " instead of " + expected;
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
