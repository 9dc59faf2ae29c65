// The launcher of the demos: `demo [chat|orders] [flags]` runs one of them, or both.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <troupe/env.hpp>
#include <vector>

#include "demo/demo.hpp"

namespace {

struct request {
  std::string which;  // empty: both
  demo::options given;
};

constexpr std::uint64_t most_generated = 10'000'000;
constexpr unsigned most_stage_workers = 64;

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void declare(CLI::App& app, request& r) {
  const std::map<std::string, demo::layout_choice> layouts = {{"threads", demo::layout_choice::threads},
                                                              {"procs", demo::layout_choice::procs},
                                                              {"tcp", demo::layout_choice::tcp},
                                                              {"hosts", demo::layout_choice::hosts},
                                                              {"all", demo::layout_choice::all}};
  demo::options& o = r.given;
  app.add_option("demo", r.which, "chat or orders; both by default")
      ->check(CLI::IsMember({"chat", "orders"}));
  app.add_option("--io", o.io, "I/O driver: auto, uring or asio")
      ->check(CLI::IsMember({"auto", "uring", "asio"}));
  app.add_option("--workers", o.workers, "worker threads of every process")->check(CLI::Range(1u, 255u));
  app.add_flag("-v,--verbose", o.verbose, "show what the processes write");
  app.add_option("--kill", r.given.kill,
                 "kill -9 this process in mid-run and start it anew; chat: " +
                     listed(demo::chat_processes()) + "; orders: " + listed(demo::orders_processes()))
      ->type_name("STAGE");
  app.add_flag("--hold", o.hold, "chat: stay until Ctrl-C, for people to join");
  app.add_option("--layout", o.layout,
                 "orders: threads, procs, tcp or all of these; both: hosts, with a network namespace for "
                 "each process, TLS, and a link that "
                 "is cut in mid-run")
      ->transform(CLI::CheckedTransformer(layouts).description(""));
  auto* const orders =
      app.add_option("--orders", o.orders_file, "orders: this file instead of generated ones");
  auto* const stock = app.add_option("--stock", o.stock_file, "orders: the stock for --orders");
  orders->needs(stock);
  stock->needs(orders);
  app.add_option("--out", o.out_dir, "orders: write DIR/LAYOUT/ledger.csv")->type_name("DIR");
  app.add_option("--generate", o.generate, "orders: how many to generate")
      ->check(CLI::Range(std::uint64_t{1}, most_generated))
      ->excludes(orders);
  app.add_option("--seed", o.seed, "orders: of the generator; a fresh one by default")->excludes(orders);
  app.add_option("--stock-workers", o.stock_workers, "orders: shards of the stock stage")
      ->check(CLI::Range(1u, most_stage_workers));
  app.add_option("--payment-workers", o.payment_workers, "orders: workers of the payment stage")
      ->check(CLI::Range(1u, most_stage_workers));
}

/// What is wrong with --kill or --hold, if anything. Its stage says which demo is meant, if nothing else does.
std::string settle_kill(request& r) {
  const std::string& name = r.given.kill;
  const bool on_hosts = r.given.layout == demo::layout_choice::hosts;
  if (on_hosts && r.given.hold) return "--hold: nobody can come to the room from another host";
  if (name.empty()) return "";
  if (on_hosts) return "--kill: the layout hosts cuts a link in mid-run instead; take procs or tcp";
  std::string there_are;
  for (const auto& [which, stages] : std::map<std::string, std::vector<std::string>>{
           {"chat", demo::chat_processes()}, {"orders", demo::orders_processes()}}) {
    if (!r.which.empty() && r.which != which) continue;
    there_are += "; " + which + " has " + listed(stages);
    if (std::ranges::find(stages, name) == stages.end()) continue;
    r.which = which;
    if (which == "chat" || r.given.layout != demo::layout_choice::threads) return "";
    return "--kill: the layout threads is one process, so there is no stage to kill; take procs or tcp";
  }
  return "--kill: there is no " + name + there_are;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Runs the examples as several processes and checks what comes out.");
  request r;
  declare(app, r);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return demo::exit_passed;
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "demo: %s (--help lists the flags)\n", e.what());
    return demo::exit_bad_usage;
  }
  if (const std::string wrong = settle_kill(r); !wrong.empty()) {
    std::fprintf(stderr, "demo: %s\n", wrong.c_str());
    return demo::exit_bad_usage;
  }
  if (r.which != "orders") {
    if (const int code = demo::run_chat_demo(r.given); code != demo::exit_passed || r.which == "chat")
      return code;
  }
  return demo::run_orders_demo(r.given);
}
