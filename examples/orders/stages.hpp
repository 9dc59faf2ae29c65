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
// cannot wait for long: at most window / progress_step of them are under way, fewer than its mailbox holds.
//
// Failure: every stage monitors those it sends to and fails when one of them ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <troupe/node.hpp>
#include <troupe/self.hpp>
#include <vector>

#include "rules.hpp"

namespace orders {

inline constexpr std::uint64_t window = 4096;
inline constexpr std::uint64_t progress_step = 256;

/// An order on its way. `entered`: when the gateway read it, on the host's monotonic clock, in nanoseconds.
struct work {
  order content;
  std::int64_t entered;
};

/// An order at its end.
struct settled {
  entry result;
  std::int64_t entered;
};

/// The ledger has written this many lines.
struct progress {
  std::uint64_t written;
};

/// The gateway is about to send orders: to whom progress goes.
struct opened {
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
  using reply = ledger_report;
};

using working_stage = troupe::protocol<work, troupe::down>;
using gateway_stage = troupe::protocol<progress, troupe::down>;
using ledger_stage = troupe::protocol<settled, opened, closed, report>;

inline constexpr const char* ledger_name = "orders.ledger";

/// What the stages need to know, the same for all.
struct plan {
  std::string orders_file;
  std::string stock_file;
  std::string ledger_file;
  std::uint32_t stock_workers = 2;
  std::uint32_t payment_workers = 2;
  bool break_dedup = false;  // orders_sim.cpp
};
inline constexpr std::uint32_t most_workers = 64;  // of one stage

/// Starts the stage's actors on this node, each worker of a stage on the next worker thread after `first_thread`.
std::vector<troupe::ref<>> spawn_stage(troupe::node& node, std::string_view stage, const plan& p,
                                       unsigned first_thread);

}  // namespace orders
