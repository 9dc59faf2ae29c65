// The program of a group of cases.
//
// It runs every case once with every system, and all that again as often as was asked for, so that a slow phase of the
// machine meets all systems alike.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <CLI/CLI.hpp>

#include "bench_case.hpp"
#include "figures.hpp"
#include "machine.hpp"
#include "subject.hpp"

namespace bench {
namespace {

struct options {
  unsigned runs = 7;
  bool quick = false;
  std::vector<std::string> only;
  bool measures(const bench_case& c) const {
    return only.empty() || std::find(only.begin(), only.end(), c.name) != only.end();
  }
  std::vector<std::string> peers;
  std::string json;
  std::string charts;
};

bool write_json(const figures& all, const std::string& file) {
  std::FILE* const out = std::fopen(file.c_str(), "w");
  if (out == nullptr) {
    std::fprintf(stderr, "cannot write %s: %s\n", file.c_str(), std::strerror(errno));
    return false;
  }
  all.write_json(out);
  return std::fclose(out) == 0;
}

/// False if a system failed in a case.
bool measure_all(const char* name, const std::vector<bench_case>& cases, const std::vector<subject>& systems,
                 const options& how, figures& all) {
  bool complete = true;
  for (unsigned run = 1; run <= how.runs; ++run) {
    for (const bench_case& c : cases) {
      if (!how.measures(c)) continue;
      if (!c.lacks.empty()) {
        if (run == 1) std::fprintf(stderr, "%s: %s is left out: %s\n", name, c.name.c_str(), c.lacks.c_str());
        continue;
      }
      const place at = place_of(c);
      for (const subject& s : systems) {
        if (std::find(s.has.begin(), s.has.end(), at) == s.has.end()) continue;
        std::fprintf(stderr, "%s: run %u of %u: %s, %s\n", name, run, how.runs, c.name.c_str(),
                     s.system.c_str());
        if (const auto value = s.measure(at, how.quick)) {
          all.add(c, s.system, *value);
        } else {
          std::fprintf(stderr, "%s: %s failed in %s\n", name, s.system.c_str(), c.name.c_str());
          complete = false;
        }
      }
    }
  }
  return complete;
}

}  // namespace

int run_group(const char* name, const std::vector<bench_case>& cases,
              const std::vector<recorded_figure>& recorded, int argc, char** argv) {
  if (const auto code = answer(troupe_system, cases, argc, argv)) return *code;

  CLI::App app(std::string("Measures the cases of the group ") + name + " and prints a table.");
  options how;
  app.add_option("--runs", how.runs, "values of each case and system; the median counts")
      ->check(CLI::Range(1, 1000));
  app.add_option("--case", how.only, "measure these cases alone");
  app.add_option("--peer", how.peers, "programs of other systems, measured beside ours");
  app.add_option("--json", how.json, "write the figures into this file, one object a line");
  app.add_option("--plot", how.charts, "draw the scaling curves into this folder, as SVG");
  app.add_flag("--quick", how.quick,
               "a hundredth of the work: shows that all cases run; the figures say nothing");
  CLI11_PARSE(app, argc, argv);

  for (const std::string& o : how.only) {
    if (std::any_of(cases.begin(), cases.end(), [&](const bench_case& c) { return c.name == o; })) continue;
    std::fprintf(stderr, "%s: no such case: %s\n", name, o.c_str());
    return 2;
  }
  std::vector<subject> systems = own_subjects(cases);
  for (const std::string& program : how.peers) {
    const auto peer = ask_peer(program);
    if (!peer) {
      std::fprintf(stderr, "%s: %s list failed\n", name, program.c_str());
      return 1;
    }
    systems.push_back(*peer);
  }
  figures all;
  const bool complete = measure_all(name, cases, systems, how, all);
  for (const recorded_figure& r : recorded) {
    for (const bench_case& c : cases) {
      const bool is_meant = place_of(c) == place{r.name, r.workers, placement::free};
      if (is_meant && !how.peers.empty() && how.measures(c)) all.add(c, r);
    }
  }
  std::printf("%s; medians of %u runs\n\n", describe_machine().c_str(), how.runs);
  all.write_table(stdout);
  if (!how.json.empty() && !write_json(all, how.json)) return 1;
  if (!how.charts.empty() && !all.draw_charts(how.charts)) return 1;
  return complete ? 0 : 1;
}

}  // namespace bench
