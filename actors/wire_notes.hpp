// The control notes that nodes exchange (session.hpp carries them unread).
#pragma once

#include <cstdint>
#include <string>

#include <troupe/detail/actor_core.hpp>

namespace troupe::detail {

class worker_state;
class peer_node;

inline constexpr std::size_t longest_note_text = 256;

enum note_kind : std::uint8_t {
  note_monitor = 1,  // subject: the actor; object: the watcher's number for it
  note_demonitor,    // likewise
  note_down,         // object: the watcher's number; code: exit_kind; text: the exit text
};

/// The DOWN of a watch that this worker's actor holds on a peer's actor; a watch given up meanwhile is no
/// error.
void deliver_notice(worker_state& here, std::uint64_t watch, exit_kind how, const std::string& text);
/// The link to `peer` has ended: DOWN for everything that this worker's actors watch there.
void lose_watches(worker_state& here, const peer_node& peer, exit_kind how, const std::string& text);

}  // namespace troupe::detail
