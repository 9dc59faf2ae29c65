// What the groups `shm` and `tcp` have in common: two actors in two processes of this host.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include <troupe/troupe.hpp>

#include "bench_case.hpp"

namespace bench {

using cases = std::vector<bench_case>;

/// Where io_uring is refused: over sockets the cases are measured with that backend, too.
inline constexpr char asio_system[] = "troupe-asio";

/// The same by hand.
struct lane_yardsticks {
  bench_case::measure rtt_awake;   // a packet there and back; both sides look all the time
  bench_case::measure rtt_asleep;  // the same, when both sides have gone to sleep
  /// So many of that size there, published in batches, each copied in and out.
  std::function<double(const setting&, std::size_t bytes, std::uint64_t count, std::uint32_t batch)> oneway;
};

/// Adds the cases of messages over that lane.
void add_lane_cases(cases& all, troupe::lane_choice lane, const lane_yardsticks& raw);

/// Adds those over TLS. Their yardstick is the same over plain TCP.
void add_tls_cases(cases& all);

}  // namespace bench
