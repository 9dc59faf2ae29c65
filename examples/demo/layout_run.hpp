// One run of the order pipeline in one layout: starts the processes, shows how far they are, and ends them. With --kill
// it kills one of them when a third of the lines is written, and is the supervisor that starts it anew.
#pragma once

#include <cstdint>
#include <string>

#include "demo/demo.hpp"
#include "demo/display.hpp"
#include "orders/deployment.hpp"
#include "orders/stages.hpp"

namespace demo {

struct run_end {
  bool interrupted = false;
  std::string failure;  // empty: the ledger is written, and every process has ended in order
};

/// `lines`: how many the orders file has.
run_end run_layout(orders::layout which, const orders::plan& plan, std::uint64_t lines, const options& given,
                   display& screen);

}  // namespace demo
