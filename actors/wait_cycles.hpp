// Wait cycles among the actors of a node, found by edge chasing (Chandy, Misra and Haas, "Distributed deadlock
// detection", 1983, for processes that wait for all of several things).
//
// Only who waits long pays. The deadline timer of an ask, or of a send that waits for room, fires early: when the
// wait is `watchdog.wait` old, and then each time its age has doubled. (A send without a deadline, for room on its own
// worker, has no timer until it is as old: crowds.hpp.) The actor then sends a chase, a control
// letter, to the actor it waits for, which passes it on to those that it waits for in turn, each on its own home
// worker:
//
//   /a ── chase [a] ──► /b ── chase [a b] ──► /a: it began here, and /a is in the same wait: a cycle
//   /a ── confirm ────► /b ── confirm ──────► report
//
// Who passes a chase on is stuck in a wait for an actor of this node. Nothing of it is ready to run, and either
//   it is in a handler of a serial serve or receive, which needs that wait: awaits it, alone or in a when_all; or
//   it is in no receive, and nothing but the end of that wait makes it go on: beside it there are only waits which
//   are parts of the same when_all and have no code of their own that might receive.
// So the chain ends at an actor that waits for any one of several things (select, when_any), interleaves handlers
// or sleeps: any of that may free it. It ends at other nodes.
//
// No false alarms. A wait has a ticket that is never used again. Each actor of the path is seen stuck in its wait
// twice, first by the chase and then by the confirm letter, which starts when the last has been seen by the chase;
// so at that moment all of them waited. Each waited for the next: at the second look its request had not been
// handed on to a replier (its receipt says so; what the next did before its own first look is visible by then,
// along the letters). So the next had the request, queued or in its handler, or had not admitted the message, and
// being stuck from its first look to its second it did not answer or admit it in between. A deadline, a kill or a
// mailbox that drops the oldest may break the cycle later: it was one. A message that waits because the node's
// mailboxes are full waits for nobody in particular, and ends the chain.
//
// Crowds. A chase costs as much whoever else waits, and ends early where it can find nothing: who is awaited by
// nobody only says that it waits; and a chase passes no wait that is younger than its own. The last to begin its
// wait finds the cycle, for by then all the others wait.
//
// An actor that is waited for may also be in a selective receive, with a mailbox full of messages of other types:
// what it waits for finds no room. (A link may still bring it.) That is reported too, unless it is `within` some
// time; for a message of the runtime's, a DOWN, there is room.
//
// Not looked for: paths of more than `longest` actors, actors with more than needed_waits::most waits, and what
// lies beyond `widest` branches of a chase.
//
// A cycle is reported once, whoever finds it: `alarms` remembers the waits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <troupe/bounds.hpp>
#include <troupe/detail/address.hpp>
#include <troupe/env.hpp>

namespace troupe::detail {

class awaiting_receipt;

/// A chase, or the confirm letter for the cycle that it has found.
struct chase {
  static constexpr std::size_t longest = 64;
  static constexpr unsigned widest = 64;

  struct step {
    address who;
    std::uint64_t ticket;          // of its wait for the next
    std::optional<priority> room;  // it waits for room in that lane of the next
  };
  /// What the confirm letter has seen, by the same index.
  struct sight {
    std::string path;   // "/n/a"
    std::string waits;  // "(mailbox 3 of 8) asks"
    std::string at;     // "x.cpp:12"
  };
  instant began{};           // the first wait
  unsigned copies = widest;  // that this chase may still become
  std::vector<step> path;
  std::vector<sight> seen;
};

/// The waits for actors of this node in which an actor is stuck.
struct needed_waits {
  static constexpr std::size_t most = 16;  // waits of an actor

  const awaiting_receipt* find(std::uint64_t ticket) const noexcept;
  const awaiting_receipt* const* begin() const noexcept { return each.data(); }
  const awaiting_receipt* const* end() const noexcept { return each.data() + count; }

  std::array<const awaiting_receipt*, most> each{};
  std::size_t count = 0;
};

}  // namespace troupe::detail
