// troupe::down: the message that tells a watcher how an actor ended.
//
// self.monitor(ref) asks for it; the watcher's protocol must contain troupe::down. It comes once per monitor,
// after every message of the dead actor that reached the watcher, never counts against the mailbox's limit,
// and comes at once for an actor that is dead already. A restart (supervise.hpp) is no end.
#pragma once

#include <troupe/detail/actor_core.hpp>
#include <troupe/ref.hpp>

namespace troupe {

struct down {
  ref<> actor;
  exit_reason reason;
};

}  // namespace troupe
