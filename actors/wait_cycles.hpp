// Wait cycles among the actors of a node, found by edge chasing (Chandy, Misra and Haas, "Distributed deadlock
// detection", 1983, for processes that wait for one thing at a time).
//
// Only who waits long pays. The deadline timer of an ask, or of a send that waits for room, fires early: when the wait is
// `watchdog.wait` old, and then each time its age has doubled. The actor then sends a chase, a control letter, to the
// actor it waits for, which passes it on to the one that it waits for in turn, each on its own home worker:
//
//   /a ── chase [a] ──► /b ── chase [a b] ──► /a: on the path already, in the same wait: a cycle
//   /a ── confirm ────► /b ── confirm ──────► report
//
// Who passes a chase on is stuck: it takes no messages (it is in no receive, or as many handlers as may run at a time
// are running), nothing of it is ready to run, and it has exactly one wait, which is for an actor of this node. And it
// still has the request or message of the one before. So the chain ends at an actor that waits for several things (select,
// when_any, interleaved handlers), sleeps, or has handed the replier on: any of that may free it. It ends at other nodes.
// The last to begin its wait finds the cycle, for by then all the others wait.
//
// No false alarms. A wait has a ticket that is never used again. Each actor of the path is seen in its wait twice, first by
// the chase and then by the confirm letter, which starts when the last has been seen by the chase; so at that moment all of
// them waited. Each was waited for by the one before, in the wait with that ticket: it had that one's request, or had not
// admitted its message, at the first look, and being stuck from the first look to the second, it did not answer or admit
// it in between. A deadline, a kill or a mailbox that drops the oldest may break the cycle later: it was one. A message
// that waits because the node's mailboxes are full waits for nobody in particular, and ends the chain.
//
// A chain may also end at an actor in a selective receive whose mailbox is full of messages of other types: what it waits for
// finds no room. (A link may still bring it.) That is reported too; for a message of the runtime's, a DOWN, there is room.
//
// Not looked for: what lies behind a thousand others in a mailbox, paths of more than `longest` actors.
//
// A cycle is reported once, whoever finds it: `alarms` remembers the waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <troupe/detail/address.hpp>

namespace troupe::detail {

/// A chase, or the confirm letter for the cycle that it has found.
struct chase {
  static constexpr std::size_t longest = 64;

  struct step {
    address who;
    std::uint64_t ticket;  // of its wait for the next
    // When it is confirmed:
    std::string path = {};   // "/n/a"
    std::string waits = {};  // "(mailbox 3 of 8) asks"
    std::string at = {};     // "x.cpp:12"
  };
  std::vector<step> path;
  std::size_t confirmed = 0;
};

}  // namespace troupe::detail
