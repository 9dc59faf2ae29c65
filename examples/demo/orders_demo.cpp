// The orders demo: the same orders through every layout of the pipeline, and through the plain loop of
// orders/reference.hpp; all ledgers must have the same SHA-256, also when --kill has a stage killed in mid-run.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>
#include <troupe/env.hpp>
#include <utility>
#include <vector>

#include "demo/demo.hpp"
#include "demo/display.hpp"
#include "demo/layout_run.hpp"
#include "demo/process.hpp"
#include "demo/temporary_folder.hpp"
#include "orders/generate.hpp"
#include "orders/reference.hpp"

namespace demo {

namespace {

constexpr std::uint64_t seeds = 1'000'000'000;  // short enough to type again
constexpr std::uint64_t lines = 20'000;
constexpr std::uint64_t lines_with_a_fault = 400'000;  // so that there is a middle of the run

std::vector<orders::layout> chosen(layout_choice choice) {
  if (choice == layout_choice::all) return {orders::layouts.begin(), orders::layouts.end()};
  if (choice == layout_choice::hosts) return {orders::layout::hosts};
  return {orders::layouts[static_cast<std::size_t>(choice)]};
}
static_assert(static_cast<std::size_t>(layout_choice::all) == orders::layouts.size());

std::string counts_text(const orders::tally& counts) {
  std::string text;
  for (std::size_t i = orders::status_count; i-- > 0;) {
    text += (text.empty() ? "" : ", ") + std::string(to_string(static_cast<orders::status>(i))) + " " +
            std::to_string(counts[i]);
  }
  return text;
}

/// The inputs, and what must become of them.
struct task_sheet {
  std::string orders_file;
  std::string stock_file;
  std::uint64_t lines = 0;
  std::string hash;
};

orders::file_result<task_sheet> prepare(const options& given, const std::string& folder, display& screen) {
  task_sheet sheet{given.orders_file, given.stock_file, 0, {}};
  if (sheet.orders_file.empty()) {
    const std::uint64_t seed = given.seed ? *given.seed : troupe::os_env().random() % seeds;
    sheet.orders_file = folder + "/orders.csv";
    sheet.stock_file = folder + "/stock.csv";
    const bool undisturbed = given.kill.empty() && given.layout != layout_choice::hosts;
    const std::uint64_t count = given.generate.value_or(undisturbed ? lines : lines_with_a_fault);
    const auto made = orders::generate(count, seed, sheet.orders_file, sheet.stock_file);
    if (!made) return made.error();
    screen.line("orders: --generate " + std::to_string(count) + " --seed " + std::to_string(seed));
  }
  if (interrupted()) return troupe::setup_error("interrupted");
  const std::string ledger = folder + "/reference.csv";
  const auto counts = orders::run_reference(sheet.orders_file, sheet.stock_file, ledger);
  if (!counts) return counts.error();
  for (const std::uint64_t n : *counts) sheet.lines += n;
  const auto hash = orders::sha256_file(ledger);
  if (!hash) return hash.error();
  sheet.hash = *hash;
  screen.line("orders: " + std::to_string(sheet.lines) + " lines: " + counts_text(*counts));
  return sheet;
}

/// An empty folder for the layout's ledger.
orders::file_result<std::string> ledger_path(const std::string& out_dir, orders::layout which) {
  const std::filesystem::path folder = std::filesystem::path(out_dir) / to_string(which);
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) return troupe::setup_error("cannot create " + folder.string() + ": " + failure.message());
  const std::string path = (folder / "ledger.csv").string();
  // An older one must not be taken for ours.
  for (const std::string& old : {path, orders::partial_of(path)}) std::filesystem::remove(old, failure);
  return {boost::system::in_place_value, path};
}

int fail(display& screen, const std::string& why) {
  screen.line("orders: FAIL " + why);
  return exit_failed;
}

}  // namespace

std::vector<std::string> orders_processes() {
  std::vector<std::string> names;
  for (const orders::stage& s : orders::pipeline()) names.emplace_back(s.name);
  return names;
}

int run_orders_demo(const options& given) {
  display screen;
  interrupted();  // so that no folder is left behind
  const auto folder = temporary_folder::make("troupe-orders");
  if (!folder) {
    std::fprintf(stderr, "demo: %s\n", folder.error().text.c_str());
    return exit_bad_usage;
  }
  std::unique_ptr<hosts> on;
  if (given.layout == layout_choice::hosts) {
    auto made = hosts::make(orders_processes());
    if (!made) {
      screen.line("orders: SKIP " + made.error().text);
      return exit_passed;
    }
    on = std::move(*made);
  }
  const auto sheet = prepare(given, (*folder)->path(), screen);
  if (!sheet) {
    std::fprintf(stderr, "demo: %s\n", sheet.error().text.c_str());
    return interrupted() ? exit_interrupted : exit_bad_usage;
  }
  std::string verdict = "orders: PASS";
  for (const orders::layout which : chosen(given.layout)) {
    if (interrupted()) return exit_interrupted;
    const auto ledger = ledger_path(given.out_dir.empty() ? (*folder)->path() : given.out_dir, which);
    if (!ledger) {
      std::fprintf(stderr, "demo: %s\n", ledger.error().text.c_str());
      return exit_bad_usage;
    }
    const std::string name(to_string(which));
    const orders::plan plan{sheet->orders_file, sheet->stock_file, *ledger, given.stock_workers,
                            given.payment_workers};
    const run_end end = run_layout(which, plan, sheet->lines, given, on.get(), screen);
    if (end.interrupted) return exit_interrupted;
    if (!end.failure.empty()) return fail(screen, name + ": " + end.failure);
    const auto hash = orders::sha256_file(*ledger);
    if (!hash) return fail(screen, name + ": " + hash.error().text);
    if (*hash != sheet->hash)
      return fail(screen, name + "=" + *hash + " differs from reference=" + sheet->hash);
    verdict += " " + name + "=" + *hash + end.remark;
  }
  if (!given.kill.empty()) verdict += "; " + given.kill + " was killed (SIGKILL) in mid-run and started anew";
  screen.line(verdict);
  return exit_passed;
}

}  // namespace demo
