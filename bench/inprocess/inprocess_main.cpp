// bench_inprocess: actors of one process. `./dev bench inprocess --help` lists the flags.
#include "inprocess_cases.hpp"

namespace {

/// By another day's runs on a machine of this kind, C++ at -O3 with GCC 12: Debian has no packages of these.
const std::vector<bench::recorded_figure> recorded = {
    {"pingpong", 1, "rotor 0.40", 62},
    {"pingpong", 2, "rotor 0.40", 454},
    {"stream", 1, "rotor 0.40", 31},
    {"stream", 2, "rotor 0.40", 9},
    {"ring", 1, "rotor 0.40", 36},
    {"ring", 2, "rotor 0.40", 42},
    {"spawn", 1, "rotor 0.40", 254'000},
    {"idle_bytes", 1, "rotor 0.40", 8498},
    {"ask", 1, "rotor 0.40", 244},
    {"pingpong", 1, "qb 3.0", 117},
    {"pingpong", 2, "qb 3.0", 246},
    {"stream", 1, "qb 3.0", 84},
    {"stream", 2, "qb 3.0", 86},
    {"fanin", 2, "qb 3.0", 57},
    {"ring", 1, "qb 3.0", 67},
    {"ring", 2, "qb 3.0", 70},
    {"spawn", 1, "qb 3.0", 285},
    {"idle_bytes", 1, "qb 3.0", 215},
    {"ask", 1, "qb 3.0", 1463},
    {"pingpong", 1, "SObjectizer 5.8.4", 163},
    {"pingpong", 2, "SObjectizer 5.8.4", 259},
    {"stream", 1, "SObjectizer 5.8.4", 12},
    {"stream", 2, "SObjectizer 5.8.4", 4},
    {"fanin", 2, "SObjectizer 5.8.4", 5.6},
    {"ring", 1, "SObjectizer 5.8.4", 82},
    {"ring", 2, "SObjectizer 5.8.4", 141},
    {"spawn", 1, "SObjectizer 5.8.4", 3567},
    {"idle_bytes", 1, "SObjectizer 5.8.4", 1714},
    {"skynet", 2, "SObjectizer 5.8.4", 3.6},
    {"pingpong", 1, "CAF 1.1-dev", 314},
    {"pingpong", 2, "CAF 1.1-dev", 324},
    {"stream", 1, "CAF 1.1-dev", 9.7},
    {"stream", 2, "CAF 1.1-dev", 6.9},
    {"fanin", 2, "CAF 1.1-dev", 5.9},
    {"ring", 1, "CAF 1.1-dev", 163},
    {"ring", 2, "CAF 1.1-dev", 167},
    {"spawn", 1, "CAF 1.1-dev", 1700},
    {"idle_bytes", 1, "CAF 1.1-dev", 1251},
    {"skynet", 2, "CAF 1.1-dev", 0.73},
    {"ask", 1, "CAF 1.1-dev", 553},
    {"pingpong", 1, "Tokio 1.24", 163},
    {"pingpong", 2, "Tokio 1.24", 209},
    {"stream", 1, "Tokio 1.24", 28},
    {"stream", 2, "Tokio 1.24", 20},
    {"fanin", 2, "Tokio 1.24", 3.8},
    {"ring", 1, "Tokio 1.24", 79},
    {"ring", 2, "Tokio 1.24", 99},
    {"spawn", 1, "Tokio 1.24", 1032},
    {"idle_bytes", 1, "Tokio 1.24", 864},
    {"skynet", 2, "Tokio 1.24", 0.27},
    {"ask", 1, "Tokio 1.24", 278},
};

}  // namespace

int main(int argc, char** argv) {
  using namespace bench;
  cases all;
  for (const auto add :
       {add_probe, add_pingpong, add_stream, add_mixed, add_fanin, add_ring, add_spawn, add_skynet, add_ask,
        add_timer, add_big, add_select, add_cpu, add_jobs, add_wake, add_flood, add_oversubscribed}) {
    add(all);
  }
  return run_group("inprocess", all, recorded, argc, argv);
}
