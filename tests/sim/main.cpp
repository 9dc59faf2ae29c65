// ./dev sim: runs seeds, says what was injected and what was violated, and how to see it again.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "mutants.hpp"
#include "seed_pool.hpp"

namespace {

using namespace seeds;
using troupe::sim::fault;
using troupe::sim::fault_kinds;
using troupe::sim::fault_set;

constexpr int violated = 1;
constexpr int bad_usage = 2;
constexpr std::size_t most_told = 3;  // seeds that failed
constexpr std::uint64_t canary_seeds = 20;

struct arguments {
  std::uint64_t seeds = 0;
  std::uint64_t first = 1;
  std::uint64_t seed = 0;
  std::vector<std::string> without;
  bool log = false;
  std::string mutant;
  std::string program;  // how to call this one
};

std::string name_of(std::size_t kind) { return std::string(to_string(static_cast<fault>(kind))); }

/// The smallest set of kinds with which this seed still fails, found by leaving out one after the other.
fault_set shrink(std::uint64_t seed, fault_set failing) {
  for (std::size_t i = 0; i < fault_kinds; ++i) {
    const auto kind = static_cast<fault>(i);
    if (!failing.has(kind)) continue;
    const fault_set fewer = failing.without(kind);
    if (!run_apart(seed, fewer, false).violations.empty()) failing = fewer;
  }
  return failing;
}

std::string replay(const arguments& a, std::uint64_t seed, fault_set allowed) {
  std::string command = a.program + " --seed " + std::to_string(seed);
  if (!a.mutant.empty()) command += a.mutant == canary ? " --canary" : " --mutant " + a.mutant;
  std::string without;
  for (std::size_t i = 0; i < fault_kinds; ++i) {
    if (!allowed.has(static_cast<fault>(i))) without += (without.empty() ? "" : ",") + name_of(i);
  }
  return without.empty() ? command : command + " --without " + without;
}

int run(const arguments& a, fault_set allowed) {
  const std::uint64_t first = a.seed != 0 ? a.seed : a.first;
  const std::uint64_t count = a.seed != 0 ? 1 : a.seeds;
  const auto begun = std::chrono::steady_clock::now();
  troupe::sim::fault_counts injected{};
  std::array<std::uint64_t, fault_kinds> seeds_with{};
  std::vector<std::uint64_t> messages;
  std::vector<std::uint64_t> nodes;
  std::map<std::uint64_t, outcome> failed;
  std::uint64_t traces = 0;
  std::uint64_t resumed = 0;
  std::uint64_t moved = 0;
  std::uint64_t fell = 0;
  run_seeds(first, count, allowed, a.log, [&](std::uint64_t seed, const outcome& o) {
    for (std::size_t i = 0; i < fault_kinds; ++i) {
      injected[i] += o.injected[i];
      seeds_with[i] += o.injected[i] != 0 ? 1 : 0;
    }
    if (o.nodes != 0) {  // else it crashed
      messages.push_back(o.messages);
      nodes.push_back(o.nodes);
    }
    resumed += o.resumed;
    moved += o.moved;
    fell += o.fell;
    traces += o.trace * (2 * seed + 1);  // whatever order they end in
    if (!o.violations.empty()) failed.emplace(seed, o);
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();

  std::printf("%-16s %12s %12s\n", "fault", "injected", "in seeds");
  for (std::size_t i = 0; i < fault_kinds; ++i) {
    std::printf("%-16s %12llu %12llu\n", name_of(i).c_str(), static_cast<unsigned long long>(injected[i]),
                static_cast<unsigned long long>(seeds_with[i]));
  }
  std::size_t told = 0;
  for (const auto& [seed, o] : failed) {
    if (++told > most_told) break;
    std::printf("seed %llu:\n%sreplay: %s --log\n", static_cast<unsigned long long>(seed),
                o.violations.c_str(), replay(a, seed, shrink(seed, allowed)).c_str());
  }
  std::printf("sessions resumed %llu, moved to memory %llu and back %llu\n",
              static_cast<unsigned long long>(resumed), static_cast<unsigned long long>(moved),
              static_cast<unsigned long long>(fell));
  std::printf("trace %016llx\n", static_cast<unsigned long long>(traces));
  if (nodes.empty()) nodes = messages = {0};
  std::ranges::sort(messages);
  std::printf("seeds %llu, nodes %llu, messages/seed %llu, violations %zu, %.0f seeds/s\n",
              static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(*std::ranges::min_element(nodes)),
              static_cast<unsigned long long>(messages[messages.size() / 2]), failed.size(),
              static_cast<double>(count) / seconds);
  return failed.empty() ? 0 : violated;
}

}  // namespace

int main(int argc, char** argv) {
  arguments a;
  a.program = all_mutants().empty() ? argv[0] : "./dev sim";  // which runs the one with the mutants
  const CLI::Range seed_numbers(std::uint64_t{1}, std::uint64_t{1} << 62);
  CLI::App app("Runs the runtime under simulation: many nodes on one thread, virtual time, seeded faults.");
  auto* const many = app.add_option("--seeds", a.seeds, "run so many seeds")->check(CLI::Range(1u, 1u << 30));
  auto* const first = app.add_option("--first", a.first, "the first of them")->check(seed_numbers);
  auto* const one = app.add_option("--seed", a.seed, "run this seed")->check(seed_numbers);
  app.add_option("--without", a.without, "kinds of faults to leave out")
      ->delimiter(',')
      ->type_name("KIND,...");
  app.add_flag("--log", a.log, "print what the nodes log");
  one->excludes(many)->excludes(first);
  bool table = false;
  bool with_canary = false;
  if (!all_mutants().empty()) {
    auto* const bird =
        app.add_flag("--canary", with_canary, "with a planted fault: messages are lost now and then");
    app.add_option("--mutant", a.mutant, "with this planted fault")->type_name("NAME")->excludes(bird);
    app.add_flag("--mutants", table, "every planted fault, and what finds it");
  }
  try {
    app.parse(argc, argv);
    if (with_canary) a.mutant = canary;
    if (!a.mutant.empty() && !activate(a.mutant)) {
      throw CLI::ValidationError("--mutant " + a.mutant + ": there is no such mutant; --mutants lists them");
    }
    if (table) return print_mutants() ? 0 : violated;
    if (with_canary && !*many && !*one) a.seeds = canary_seeds;
    if (a.seeds == 0 && !*one) throw CLI::ValidationError("say --seeds N or --seed S");
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "dev sim: %s (--help lists the flags)\n", e.what());
    return bad_usage;
  }
  fault_set allowed = fault_set::all();
  for (const std::string& name : a.without) {
    std::size_t kind = 0;
    while (kind != fault_kinds && name_of(kind) != name) ++kind;
    if (kind == fault_kinds) {
      std::string all;
      for (std::size_t i = 0; i < fault_kinds; ++i) all += " " + name_of(i);
      std::fprintf(stderr, "dev sim: --without %s: there is no such kind of fault; there are:%s\n",
                   name.c_str(), all.c_str());
      return bad_usage;
    }
    allowed = allowed.without(static_cast<fault>(kind));
  }
  return run(a, allowed);
}
