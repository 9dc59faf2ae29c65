// What the groups `shm` and `tcp` have in common: two actors in two processes of this host.
#pragma once

#include <vector>

#include <troupe/troupe.hpp>

#include "bench_case.hpp"

namespace bench {

using cases = std::vector<bench_case>;

/// Adds the cases of messages over that lane, with these yardsticks.
void add_lane_cases(cases& all, troupe::lane_choice lane, bench_case::measure raw_pingpong,
                    bench_case::measure raw_stream);

}  // namespace bench
