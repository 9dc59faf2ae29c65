// The cases of the group `inprocess`, each in the file of its name.
#pragma once

#include <vector>

#include "bench_case.hpp"

namespace bench {

using cases = std::vector<bench_case>;

void add_probe(cases& all);
void add_pingpong(cases& all);
void add_stream(cases& all);
void add_mixed(cases& all);
void add_fanin(cases& all);
void add_ring(cases& all);
void add_spawn(cases& all);
void add_skynet(cases& all);
void add_ask(cases& all);
void add_timer(cases& all);
void add_big(cases& all);
void add_select(cases& all);
void add_cpu(cases& all);
void add_jobs(cases& all);
void add_wake(cases& all);
void add_flood(cases& all);
void add_oversubscribed(cases& all);

}  // namespace bench
