// What the service of the program process_child (process_child.cpp) takes.
#pragma once

#include <cstdint>

#include <troupe/down.hpp>

namespace process_child {

struct twice {
  std::int64_t of;
  using reply = std::int64_t;
};
struct note {
  std::int64_t number;
};
/// The numbers that were noted in this life, written as digits one after the other.
struct noted {
  using reply = std::int64_t;
};
struct who {
  using reply = std::int32_t;  // the process id
};
/// Is not answered.
struct hold {
  using reply = std::int64_t;
};
/// How many of those were given up by their askers.
struct given_up {
  using reply = std::int64_t;
};
/// Whether what it starts could take the link that it has inherited for its own.
struct leaks {
  using reply = bool;
};
struct crash {};   // by SIGSEGV
struct retire {};  // the actor ends, the process does not

using service = troupe::protocol<twice, note, noted, who, hold, given_up, leaks, crash, retire>;
inline constexpr char name[] = "child";

}  // namespace process_child
