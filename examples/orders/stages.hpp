// The stages of the order pipeline as actors. They know nothing of where the others live: they find each other by
// name, and the same functions run in every layout.
//
//   gateway ──work──> check ──work──> stock × N ──work──> payment × N
//      │                │                │                   │
//      └────────────────┴────settled─────┴───────────────────┴──> ledger ──progress──> gateway
//
// An order goes along the first row until some stage can name its status; that stage sends it to the ledger, which
// puts the lines back into input order. Why the result depends on the input alone: check gets the orders from one
// gateway, and a stock shard the orders of its SKUs from one check, both in file order (messages between two actors
// keep their order); all other orders may overtake each other.
//
// Backpressure: every send waits for room in the next mailbox, and the gateway never has more than `window` orders
// that the ledger has not written, which bounds what the ledger must hold back. The ledger's sends to the gateway
// cannot wait for long: few of them are under way, and its mailbox has room for many.
//
// Loss: any stage may be killed at any moment, and any link may break; when the stage, or the link, is back, the ledger becomes what
// it would have been. The gateway reads all orders once more, in a new *run*, which it begins with a higher number:
//   1. `begin` goes along the first row ahead of the orders. A stage that gets it forgets what it remembers, finds those
//      that it sends to anew and passes it on; what comes of an earlier run from now on is dropped.
//   2. check and stock number what they hand on, from 1 in each run, and take only what follows without a gap. So
//      whatever is lost, they have seen the beginning of the input and nothing else, and every entry that is made in
//      any run is the entry that the rules give that line.
//   3. Therefore the ledger takes the first entry that comes for a line, of whatever run, and drops the others. It
//      stays through the runs; if it is killed itself, it goes on after the last whole line in its file (--resume).
//   4. Every stage monitors those it sends to. When one of them is lost, `broken` goes back along the row, and the
//      gateway fails. It is supervised: its next life is the next run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <troupe/node.hpp>
#include <troupe/self.hpp>
#include <vector>

#include "rules.hpp"

namespace orders {

inline constexpr std::uint64_t most_window = 4096;
inline constexpr std::uint64_t progress_per_window = 16;  // so often the ledger says how far it is

/// A run is over before its end: a stage has been lost. It has room in a mailbox that is full of orders.
struct broken {
  static constexpr auto priority = troupe::priority::high;
  std::uint64_t run;
};
/// A run begins. `from`: who sends the orders of it, and hears when it breaks.
struct begin {
  std::uint64_t run;
  troupe::ref<broken> from;
};

/// An order on its way. `number`: of those that its sender has sent to its receiver in this run. `entered`: when the
/// gateway read it, on the host's monotonic clock, in nanoseconds.
struct work {
  std::uint64_t run;
  std::uint64_t number;
  order content;
  std::int64_t entered;
};

/// An order at its end.
struct settled {
  entry result;
  std::int64_t entered;
};

/// The ledger has written this many lines; it says so to the gateway of this run.
struct progress {
  std::uint64_t run;
  std::uint64_t written;
};

/// The gateway is about to send the orders of a run: to whom progress goes.
struct opened {
  std::uint64_t run;
  troupe::ref<progress> gateway;
};
/// That was all of them.
struct closed {
  std::uint64_t lines;
};

struct ledger_report {
  std::uint64_t written = 0;
  std::uint64_t mean_latency = 0;  // nanoseconds from gateway to ledger
  bool finished = false;           // the whole ledger is under its name
  std::string failure;             // not empty: it never will be
};
struct report {
  static constexpr auto priority =
      troupe::priority::high;  // says how it is now, not when all that waits is written
  using reply = ledger_report;
};

using working_stage = troupe::protocol<begin, work, broken, troupe::down>;
using gateway_stage = troupe::protocol<progress, broken, troupe::down>;
using ledger_stage = troupe::protocol<settled, opened, closed, report>;

inline constexpr const char* ledger_name = "orders.ledger";

/// What the stages need to know, the same for all.
struct plan {
  std::string orders_file;
  std::string stock_file;
  std::string ledger_file;
  std::uint32_t stock_workers = 2;
  std::uint32_t payment_workers = 2;
  std::uint64_t window = most_window;  // progress_per_window to most_window
  bool resume = false;                 // the ledger goes on with what an earlier life of it has written
  bool break_dedup = false;            // orders_sim.cpp
};
inline constexpr std::uint32_t most_workers = 64;  // of one stage

/// Starts the stage's actors on this node, each worker of a stage on the next worker thread after `first_thread`.
std::vector<troupe::ref<>> spawn_stage(troupe::node& node, std::string_view stage, const plan& p,
                                       unsigned first_thread);

}  // namespace orders
