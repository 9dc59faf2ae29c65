// A person at a terminal, as an actor: what the room says goes out on the stream, what the person types comes
// in through a child that reads. Each waits for its own half only, so a person who does not read still may
// talk, and one who does not read fills the own mailbox and nothing else (the room then leaves lines out).
#pragma once

#include <string>
#include <troupe/self.hpp>
#include <troupe/stream.hpp>

#include "chat/room.hpp"

namespace chat {

using person = troupe::protocol<line, troupe::down>;
inline constexpr std::uint32_t person_mailbox = 256;  // lines that wait for a slow terminal

/// Ends when the person quits or hangs up, or the room ends.
troupe::actor run_person(troupe::self<person> self, troupe::ref<room> where, troupe::byte_stream stream);

/// What a terminal shows of a line; empty for the person's own words.
std::string shown(const line& l);

}  // namespace chat
