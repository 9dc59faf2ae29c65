// A member that is a program: it says numbered lines at a rate and checks and times what it hears. Which lane
// leads to the room does not show here.
#pragma once

#include <cstdint>
#include <string>
#include <troupe/self.hpp>

#include "chat/room.hpp"

namespace chat {

struct bot_plan {
  std::string name;           // in the room
  std::string cue;            // starts to talk when somebody says this; empty: at once
  std::uint64_t lines = 0;    // to say; 0: listens only
  double rate = 10;           // lines a second; 0: as fast as the room takes them
  std::uint64_t length = 40;  // bytes of a line
};

struct bot_report {
  bool in = false;           // the room
  std::uint64_t own = 0;     // own lines heard
  std::uint64_t heard = 0;   // numbered lines, the own ones included
  std::uint64_t missed = 0;  // lines that the room left out
  std::uint64_t disorder = 0;
  std::int64_t latency_p50 = 0;  // ns from saying a line to hearing it, of the last own lines
  std::int64_t latency_p99 = 0;
};
struct report {
  using reply = bot_report;
};
using bot = troupe::protocol<line, report, troupe::down>;

/// Ends when the room ends, or does not let it in (a log line says why).
troupe::actor run_bot(troupe::self<bot> self, troupe::ref<room> where, bot_plan plan);

}  // namespace chat
