// The launcher of the demos: `demo [chat|orders] [flags]` runs one of them, or both.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>
#include <troupe/env.hpp>

#include "demo/demo.hpp"

namespace {

struct request {
  std::string which;  // empty: both
  demo::options given;
};

constexpr std::uint64_t most_generated = 10'000'000;
constexpr unsigned most_stage_workers = 64;

void declare(CLI::App& app, request& r) {
  const std::map<std::string, demo::layout_choice> layouts = {{"threads", demo::layout_choice::threads},
                                                              {"procs", demo::layout_choice::procs},
                                                              {"tcp", demo::layout_choice::tcp},
                                                              {"all", demo::layout_choice::all}};
  demo::options& o = r.given;
  app.add_option("demo", r.which, "chat or orders; both by default")
      ->check(CLI::IsMember({"chat", "orders"}));
  app.add_option("--io", o.io, "I/O driver: auto, uring or asio")
      ->check(CLI::IsMember({"auto", "uring", "asio"}));
  app.add_option("--workers", o.workers, "worker threads of every process")->check(CLI::Range(1u, 255u));
  app.add_flag("-v,--verbose", o.verbose, "show what the processes write");
  app.add_flag("--hold", o.hold, "chat: stay until Ctrl-C, for people to join");
  app.add_option("--layout", o.layout, "orders: threads, procs, tcp or all")
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
  if (r.which != "orders") {
    if (const int code = demo::run_chat_demo(r.given); code != demo::exit_passed || r.which == "chat")
      return code;
  }
  return demo::run_orders_demo(r.given);
}
