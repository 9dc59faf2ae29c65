// A member that is a program: it says numbered lines at a rate and checks and times what it hears. Which lane
// leads to the room does not show here. It lives as long as it is wanted, also when the room has ended: it tells then
// how far it came.
#pragma once

#include <cstdint>
#include <string>
#include <troupe/self.hpp>

#include "chat/room.hpp"

namespace chat {

struct bot_plan {
  std::string name;           // in the room
  std::string cue;            // talks, and counts from 0, whenever somebody says this; empty: talks at once
  std::uint64_t lines = 0;    // to say; 0: listens only
  double rate = 10;           // lines a second; 0: as fast as the room takes them
  std::uint64_t length = 40;  // bytes of a line
};

struct bot_report {
  bool in = true;            // until the room has ended
  std::uint64_t cues = 0;    // heard
  std::uint64_t said = 0;    // own lines that the link to the room has taken
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
/// Its talker's: another line is on its way.
struct spoke {};
using bot = troupe::protocol<line, report, spoke, troupe::down>;

/// Ends by itself if the room does not let it in (a log line says why).
troupe::actor run_bot(troupe::self<bot> self, troupe::ref<room> where, bot_plan plan);

}  // namespace chat
