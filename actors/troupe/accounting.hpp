// The books of a node: where every accepted message is now.
//
// Once `send` has said ok (or a link has handed a message over), the message is accepted, and it ends in
// exactly one bucket. Each term is counted where it happens; `pending` is found by walking the queues, never
// by subtraction, so balanced() can fail: it checks that nothing was lost or doubled. The sum is exact when
// no message is on its way while the books are read; otherwise terms may be a few messages apart.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <troupe/result.hpp>

namespace troupe {

struct accounting {
  static constexpr std::size_t reasons = static_cast<std::size_t>(errc::io_failed) + 1;

  std::uint64_t accepted_local = 0;    // sent by this node's actors and threads
  std::uint64_t accepted_inbound = 0;  // handed over by links
  std::uint64_t taken = 0;             // given to a handler
  std::uint64_t pending = 0;           // in mailboxes, or sent to a peer and not acknowledged yet
  std::uint64_t handed_over = 0;       // acknowledged by a peer node
  std::uint64_t unknown = 0;           // sent to a peer, not acknowledged, and the peer is gone
  std::array<std::uint64_t, reasons> undelivered{};  // dead letters, by errc

  // Not part of the identity.
  std::uint64_t refused = 0;       // sends that were not accepted, and said so
  std::uint64_t replies_lost = 0;  // replies whose asker had gone

  std::uint64_t undelivered_total() const noexcept;
  /// accepted = taken + pending + handed_over + undelivered + unknown
  bool balanced() const noexcept;
  std::string text() const;  // one line
};

/// A message that was accepted and could not be delivered. A bounded sample is kept by the node.
struct dead_letter {
  errc reason = errc::ok;
  std::string message;     // the type's wire name; empty for a local-only type
  std::uint32_t slot = 0;  // of the actor it was meant for
  std::uint32_t generation = 0;
};

}  // namespace troupe
