// One run of the order pipeline in one layout: starts the processes, shows how far they are, and ends them. With --kill
// it kills one of them when a third of the lines is written, and is the supervisor that starts it anew. In the layout hosts it cuts
// the host of one off for a while then.
#pragma once

#include <cstdint>
#include <string>

#include "demo/demo.hpp"
#include "demo/display.hpp"
#include "demo/hosts.hpp"
#include "orders/deployment.hpp"
#include "orders/stages.hpp"

namespace demo {

struct run_end {
  bool interrupted = false;
  std::string failure;  // empty: the ledger is written, and every process has ended in order
  std::string remark;   // what else the verdict says
};

/// `lines`: how many the orders file has. `on`: the hosts of the layout hosts, else null.
run_end run_layout(orders::layout which, const orders::plan& plan, std::uint64_t lines, const options& given,
                   const hosts* on, display& screen);

}  // namespace demo
