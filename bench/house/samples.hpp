// Many values of one run, of which the case reports the median or the slowest.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "bench_case.hpp"

namespace bench {

/// The value below which that share of all lies: 0.5 is the median.
inline double quantile(std::vector<double> all, double share) {
  check(!all.empty(), "nothing was measured");
  const auto at = static_cast<std::size_t>(share * static_cast<double>(all.size()));
  const auto nth = all.begin() + static_cast<std::ptrdiff_t>(std::min(at, all.size() - 1));
  std::nth_element(all.begin(), nth, all.end());
  return *nth;
}

}  // namespace bench
