// What a link loses when others are connected to its node who never say who they are.
#pragma once

#include "lane_cases.hpp"

namespace bench {

void add_stranger_cases(cases& all);

}  // namespace bench
