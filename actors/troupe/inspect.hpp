// What a node is doing, for people: node.inspect(), the dump that troupe::run prints on SIGQUIT, and the watchdog.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <troupe/accounting.hpp>
#include <troupe/detail/actor_core.hpp>
#include <troupe/env.hpp>

namespace troupe {

/// When the node says by itself that something is wrong (node_info::alarms, and a warning in the log). Zero: never.
struct watchdog_options {
  duration wait =
      std::chrono::milliseconds(25);  // of an ask, or a send for room, until wait cycles are looked for
  duration held = std::chrono::milliseconds(100);  // that one message may hold its worker
};

struct inspect_options {
  duration patience = std::chrono::seconds(1);  // how long a worker that an actor holds is waited for
  duration over = {};                           // looks twice, this long apart, for rates; zero: no rates
};

/// One peer, as the node sees it now.
struct link_info {
  std::string node;
  std::string lane;  // "shm", "local socket", "tcp", or "none" when the link has ended
  std::string why;   // why this lane
  std::uint64_t frames_out = 0;
  std::uint64_t frames_in = 0;
  bool stalled = false;          // nothing has come for a while: it ends with its lease if that goes on
  bool suspended = false;        // it has lost its connection and waits for another, with its lease
  std::uint64_t duplicates = 0;  // segments that came twice, and were dropped
  std::uint64_t resumed = 0;     // how often it went on over another connection
};

/// What passes through a mailbox. Messages that are refused do not.
struct mailbox_rates {
  double in = 0;                      // messages a second
  double out = 0;                     // taken, or found to have expired
  std::optional<duration> drains_in;  // at these rates; nothing: never
};

/// One actor, as its worker saw it between two of its runs.
struct actor_info {
  std::string path;   // "/front/pool/worker-3": the node, then names, or "#slot" where there is none
  std::string kind;   // its function, its class, or "lambda at FILE:LINE"
  std::string doing;  // "serve at chat/room.cpp:31", "has not run yet", "is ready to run", "ends", ...
  unsigned worker = 0;
  std::uint64_t mailbox = 0;  // messages in it
  std::uint32_t limit = 0;
  std::uint32_t waiting = 0;           // senders that wait for room in it
  duration oldest = {};                // how long its first message has been there, to within a millisecond
  std::optional<mailbox_rates> rates;  // with inspect_options::over, if it has lived that long
};

/// All actors of one function or class, also those that have ended.
struct kind_info {
  std::string kind;
  std::uint64_t spawned = 0;
  std::array<std::uint64_t, exit_kinds> ended{};  // by exit_kind
  std::uint64_t restarts = 0;
  std::uint64_t messages = 0;  // taken out of their mailboxes

  std::uint64_t live() const noexcept;
};

struct node_info {
  static constexpr std::size_t most_actors = 10'000;

  std::string name;
  std::vector<actor_info> actors;     // by path: parents before their children
  std::uint64_t actors_left_out = 0;  // beyond most_actors
  std::vector<kind_info> kinds;       // by name
  std::vector<unsigned>
      busy_workers;  // they did not answer in time: an actor holds them, and theirs are missing
  std::vector<std::string>
      holders;  // the paths of those actors, in the same order; empty: it has just gone on
  std::vector<link_info> links;
  struct accounting books;          // only if no worker is busy
  std::vector<std::string> alarms;  // what the watchdog has found: the last 16
  std::uint64_t alarms_total = 0;

  std::string text() const;  // lines, for a log or a terminal
};

}  // namespace troupe
