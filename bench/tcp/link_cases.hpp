// How much memory the links of a node take that has many, and on which nothing is said.
#pragma once

#include "lane_cases.hpp"

namespace bench {

void add_link_cases(cases& all);

}  // namespace bench
