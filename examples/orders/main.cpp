// The program `orders`: a node with some or all stages of the order pipeline.
//
//   orders --orders orders.csv --stock stock.csv --ledger ledger.csv                    # all in one process
//   orders --stage payment --node payment --listen tcp://127.0.0.1:0 --join URL ...     # one of several processes
//   orders --stage ledger ... --resume                                                  # its next life, after a kill -9
//
// A process that was killed is to be started again with --join of all the nodes that it worked with, and the ledger with the same
// orders and stock. A link that breaks while both its ends live is dialled again by itself.
//
// It tells on standard output, a line each, what the launcher and people want to know:
//   at URL                                        where it listens
//   io NOTE                                       its I/O backend, and why
//   lane PEER LANE FRAMES_OUT FRAMES_IN RESUMED WHY
//                                                 each link, when its counters have changed
//   written LINES MEAN_LATENCY_NS                 how far the ledger is
//   done | failed REASON                          the end of the work
// A process with all stages ends then; one of several stays, since the others still need its links, until SIGTERM.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <troupe/troupe.hpp>
#include <vector>

#include "orders/deployment.hpp"
#include "orders/stages.hpp"

using namespace std::chrono_literals;

namespace {

constexpr troupe::duration report_every = 20ms;

struct settings {
  orders::plan plan;
  std::vector<std::string> stages;
  bool whole() const { return stages.size() == orders::pipeline().size(); }
};

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

/// False: the arguments are wrong, and one line has said so.
bool parse(troupe::arguments given, settings& out) {
  CLI::App app;
  std::vector<std::string> names;
  for (const orders::stage& s : orders::pipeline()) names.emplace_back(s.name);
  app.add_option("--stage", out.stages)->check(CLI::IsMember(names));
  app.add_option("--orders", out.plan.orders_file)->required();
  app.add_option("--stock", out.plan.stock_file)->required();
  app.add_option("--ledger", out.plan.ledger_file)->required();
  app.add_option("--stock-workers", out.plan.stock_workers)->check(CLI::Range(1u, orders::most_workers));
  app.add_flag("--resume", out.plan.resume, "the ledger goes on with LEDGER.partial");
  app.add_option("--payment-workers", out.plan.payment_workers)->check(CLI::Range(1u, orders::most_workers));
  std::reverse(given.begin(), given.end());  // as CLI11 takes them
  try {
    app.parse(given);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "orders: %s\n", e.what());
    return false;
  }
  if (out.stages.empty()) out.stages = names;
  return true;
}

/// Each link whose counters have changed since it was told last.
void tell_lanes(troupe::node& node, std::map<std::string, std::string>& told) {
  for (const troupe::link_info& l : node.links()) {
    const std::string line = "lane " + l.node + " " + l.lane + " " + std::to_string(l.frames_out) + " " +
                             std::to_string(l.frames_in) + " " + std::to_string(l.resumed) + " " + l.why;
    if (std::exchange(told[l.node], line) != line) say(line);
  }
}

/// How the first of the watched actors ended; empty while all live.
struct first_end {
  using reply = std::string;
};
using guard = troupe::protocol<first_end, troupe::down>;

troupe::actor run_guard(troupe::self<guard> self, std::vector<troupe::ref<>> stages,
                        std::vector<std::string> names) {
  std::string end;
  for (const auto& s : stages) self.monitor(s);
  co_await self.serve([&](first_end) { return end; },
                      [&](const troupe::down& d) {
                        const auto at =
                            static_cast<std::size_t>(std::ranges::find(stages, d.actor) - stages.begin());
                        if (!end.empty()) return;
                        end = names[at] + " " + std::string(to_string(d.reason.kind)) + ": " + d.reason.text;
                      });
}

troupe::ref<guard> spawn_guarded_stages(troupe::node& node, const settings& s) {
  std::vector<troupe::ref<>> actors;
  std::vector<std::string> names;  // of the stages that they work for
  for (unsigned i = 0; i < s.stages.size(); ++i) {
    for (const troupe::ref<>& worker : orders::spawn_stage(node, s.stages[i], s.plan, i)) {
      actors.push_back(worker);
      names.push_back(s.stages[i]);
    }
  }
  return node.spawn(run_guard, std::move(actors), std::move(names));
}

/// Reports until the work has ended: why it failed, or nothing.
troupe::task<std::string> watch(troupe::node& node, troupe::ref<guard> stages) {
  troupe::ref<orders::report> ledger;
  std::map<std::string, std::string> lanes;
  for (;;) {
    const auto end = co_await stages.ask<first_end>();
    if (!end) co_return "the guard does not answer: " + end.error().text();
    if (!end->empty()) co_return *end;
    if (!ledger) {
      const auto found = co_await node.lookup<orders::report>(orders::ledger_name).within(report_every);
      if (!found) continue;
      ledger = *found;
    }
    const auto now = co_await ledger.ask<orders::report>();
    if (now) {
      say("written " + std::to_string(now->written) + " " + std::to_string(now->mean_latency));
      tell_lanes(node, lanes);
      if (now->finished || !now->failure.empty()) co_return now->failure;
    } else {
      ledger = {};  // its process was killed: the next one has another ref
    }
    co_await troupe::sleep_operation(report_every);
  }
}

troupe::task<int> run_stages(troupe::node& node, troupe::arguments given) {
  settings s;
  if (!parse(std::move(given), s)) co_return 2;
  for (const std::string& url : node.endpoints()) say("at " + url);
  say("io " + node.io_note());
  const troupe::ref<guard> stages = spawn_guarded_stages(node, s);
  const std::string failure = co_await watch(node, stages);
  say(failure.empty() ? "done" : "failed " + failure);
  if (!failure.empty()) co_return 1;
  while (!s.whole()) co_await troupe::sleep_operation(1h);
  co_return 0;
}

}  // namespace

int main(int argc, char** argv) { return troupe::run(argc, argv, run_stages); }
