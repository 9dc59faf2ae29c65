// The chat room: an actor. Who is in it, what was said last, and who hears what.
//
// A member is a ref and no more: a person at a terminal of this host and a program in another process look
// the same here. The room sends every line to every member, its author too, so all see one order. It never
// waits for a member: when a member's mailbox (or its link) is full, the line is not for that member. The
// next line that fits tells it how many it missed; after `patience` lines missed in a row it is put out. A
// member that ends, however it ends, leaves the room by its DOWN.
#pragma once

#include <cstdint>
#include <string>
#include <troupe/self.hpp>
#include <vector>

namespace chat {

// To a member.

enum class line_kind : std::uint8_t {
  said,     // by `from`
  own,      // the receiver said it
  whisper,  // by `from`, to the receiver alone
  notice,   // by the room
};
struct line {
  line_kind kind = line_kind::notice;
  std::uint64_t missed = 0;  // lines that the receiver did not get just before this one
  std::string from;
  std::string text;
};
using member = troupe::protocol<line>;

// To the room. `who` is the sender; someone who is not in the room is told so.

struct joined {
  bool in = false;
  std::string text;  // its name in the room, or why it is not in
};
struct join {
  using reply = joined;
  std::string name;  // empty: the room finds one
  troupe::ref<member> who;
};
struct say {
  troupe::ref<member> who;
  std::string text;
};
struct nick {
  troupe::ref<member> who;
  std::string name;
};
struct tell {
  troupe::ref<member> who;
  std::string to;
  std::string text;
};
struct quit {  // answered when all that was said before is in the mailbox of `who`
  using reply = void;
  troupe::ref<member> who;
};
struct present {  // the names, in the order of joining
  using reply = std::vector<std::string>;
};
struct room_figures {
  std::uint64_t members = 0;
  std::uint64_t said = 0;
  std::uint64_t missed = 0;  // lines that found no room in somebody's mailbox
  std::uint64_t put_out = 0;
};
struct figures {
  using reply = room_figures;
};
using room = troupe::protocol<join, say, nick, tell, quit, present, figures, troupe::down>;

inline constexpr char room_name[] = "chat.room";  // as it is published
inline constexpr std::size_t kept_lines = 20;     // for those who join late

struct room_limits {
  std::uint64_t members = 1000;
  std::uint64_t patience = 10'000;
};

troupe::actor run_room(troupe::self<room> self, room_limits limits);

}  // namespace chat
