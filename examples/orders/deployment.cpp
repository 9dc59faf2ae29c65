// Where each stage of the order pipeline lives; see deployment.hpp.
#include "deployment.hpp"

#include <algorithm>

namespace orders {

const std::vector<stage>& pipeline() {
  static const std::vector<stage> stages = {
      {"ledger", {}},
      {"payment", {"ledger"}},
      {"stock", {"payment", "ledger"}},
      {"check", {"stock", "ledger"}},
      {"gateway", {"check", "ledger"}},
  };
  return stages;
}

const stage* find_stage(std::string_view name) {
  const auto at = std::ranges::find(pipeline(), name, &stage::name);
  return at == pipeline().end() ? nullptr : &*at;
}

std::string_view to_string(layout l) noexcept {
  switch (l) {
    case layout::threads: return "threads";
    case layout::procs: return "procs";
    case layout::tcp: return "tcp";
    case layout::hosts: return "hosts";
  }
  return "invalid";
}

std::string_view node_of(layout l, std::string_view stage) noexcept {
  return l == layout::threads ? "orders" : stage;
}

std::vector<placement> deployment(layout l) {
  std::vector<placement> processes;
  for (const stage& s : pipeline()) {
    const std::string_view node = node_of(l, s.name);
    auto at = std::ranges::find(processes, node, &placement::node);
    if (at == processes.end()) at = processes.insert(at, placement{node, {}, {}});
    at->stages.push_back(s.name);
    for (const std::string_view target : s.sends_to) {
      const std::string_view there = node_of(l, target);
      if (there != node && std::ranges::find(at->joins, there) == at->joins.end()) at->joins.push_back(there);
    }
  }
  return processes;
}

}  // namespace orders
