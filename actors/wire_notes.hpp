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
  note_cancel,       // subject: the actor; object: the correlation of a request that is wanted no more
  note_link,         // subject: the actor; object: the one that is linked with it (actor_links.hpp)
  note_unlink,       // likewise
  note_sever,        // likewise; code: exit_kind; text: the exit text
};

/// The DOWN of a watch that this worker's actor holds on an actor of `from`. A watch given up meanwhile is no
/// error; one on another peer's actor is not theirs to end.
void deliver_notice(worker_state& here, const peer_node& from, std::uint64_t watch, exit_kind how,
                    const std::string& text);
/// The link to `peer` has ended: DOWN for everything that this worker's actors watch there.
void lose_watches(worker_state& here, const peer_node& peer, exit_kind how, const std::string& text);

/// A meeting with `peer` is over: it is told what is watched there, or those who watch it hear that there is no link.
void meet_watched(worker_state& here, peer_node& peer);

}  // namespace troupe::detail
