#include "subject.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>

#include <unistd.h>

namespace bench {
namespace {

std::optional<std::string> output_of(const std::string& command) {
  std::FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::string all;
  char part[256];
  while (std::fgets(part, sizeof part, pipe) != nullptr) all += part;
  if (pclose(pipe) != 0) return std::nullopt;
  return all;
}

std::string quoted(const std::string& word) {
  std::string all = "'";
  for (const char c : word) all += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return all + "'";
}

placement placement_of(const std::string& word) {
  return word == to_string(placement::pinned) ? placement::pinned : placement::free;
}

/// None: that system does not have the case. `ours` is the name of the program's own.
bench_case::measure measure_of(const bench_case& c, const std::string& system, const char* ours) {
  if (system == ours) return c.ours;
  if (system == yardstick_system) return c.yardstick;
  for (const bench_case::variant& v : c.variants) {
    if (v.system == system) return v.value;
  }
  return {};
}

}  // namespace

std::optional<double> subject::measure(const place& at, bool quick) const {
  const auto printed =
      output_of(quoted(program) + " measure " + quoted(system) + " " + at.name + " " +
                std::to_string(at.workers) + " " + to_string(at.where) + (quick ? " quick" : ""));
  if (!printed) return std::nullopt;
  double value = 0;
  if (std::sscanf(printed->c_str(), "%lf", &value) != 1) return std::nullopt;
  return value;
}

std::optional<subject> ask_peer(const std::string& program) {
  const auto printed = output_of(quoted(program) + " list");
  if (!printed) return std::nullopt;
  subject found{program, ""};
  std::istringstream lines(*printed);
  place at;
  std::string where;
  while (lines >> found.system >> at.name >> at.workers >> where) {
    at.where = placement_of(where);
    found.has.push_back(at);
  }
  return found;
}

std::vector<subject> own_subjects(const std::vector<bench_case>& cases) {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  check(length > 0, "cannot find my own program");
  const std::string program(path, static_cast<std::size_t>(length));
  std::vector<subject> all{{program, troupe_system}, {program, yardstick_system}};
  const auto of = [&](const std::string& system) -> subject& {
    const auto known =
        std::find_if(all.begin(), all.end(), [&](const subject& s) { return s.system == system; });
    return known != all.end() ? *known : all.emplace_back(subject{program, system});
  };
  for (const bench_case& c : cases) {
    if (c.ours) of(troupe_system).has.push_back(place_of(c));
    if (c.yardstick) of(yardstick_system).has.push_back(place_of(c));
    for (const bench_case::variant& v : c.variants) of(v.system).has.push_back(place_of(c));
  }
  return all;
}

std::optional<int> answer(const char* system, const std::vector<bench_case>& cases, int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "list") == 0) {
    for (const bench_case& c : cases)
      std::printf("%s %s %u %s\n", system, c.name.c_str(), c.workers, to_string(c.where));
    return 0;
  }
  if (argc < 6 || std::strcmp(argv[1], "measure") != 0) return std::nullopt;
  const place wanted{argv[3], static_cast<unsigned>(std::atoi(argv[4])), placement_of(argv[5])};
  for (const bench_case& c : cases) {
    const auto measure = measure_of(c, argv[2], system);
    if (place_of(c) != wanted || !measure) continue;
    std::printf("%.9g\n", measure({c.workers, c.where, argc > 6}));
    std::fflush(stdout);
    std::_Exit(0);  // taking down what a case leaves behind, a million actors say, is not measured
  }
  std::fprintf(stderr, "%s has no case %s\n", argv[0], argv[3]);
  return 2;
}

int run_peer(const char* system, const std::vector<bench_case>& cases, int argc, char** argv) {
  const auto code = answer(system, cases, argc, argv);
  if (!code)
    std::fprintf(stderr, "usage: %s list | measure SYSTEM CASE WORKERS PLACEMENT [quick]\n", argv[0]);
  return code.value_or(2);
}

}  // namespace bench
