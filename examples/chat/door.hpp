// The door: people come in from a listening socket. Each becomes a person (person.hpp), a child of the door.
#pragma once

#include <troupe/self.hpp>
#include <troupe/stream.hpp>

#include "chat/room.hpp"

namespace chat {

struct visitor {
  troupe::byte_stream stream;
};
using door = troupe::protocol<visitor, troupe::down>;

inline constexpr unsigned most_people = 500;  // at a time; further visitors are told so

/// Spawn it on the worker that opened the listener.
troupe::actor run_door(troupe::self<door> self, troupe::ref<room> where, troupe::listener at);

}  // namespace chat
