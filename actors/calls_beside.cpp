// blocking(f): starts a call on the node's threads for that, and comes back to the actor's worker (troupe/blocking.hpp).
#include <new>
#include <system_error>
#include <utility>

#include <troupe/blocking.hpp>
#include <troupe/detail/actor_core.hpp>

#include "node_core.hpp"

namespace troupe::detail {

void start_blocking(std::shared_ptr<call_beside> call, operation& who) noexcept {
  auto& core = *static_cast<actor_core*>(who.owner());
  const auto back = [&core, generation = core.generation(), ticket = who.ticket()](worker&) {
    operation* const waits = core.generation() == generation ? core.find(ticket) : nullptr;
    if (waits != nullptr) waits->complete();
  };
  const auto run = [call] {
    if (call.use_count() != 1) call->run();  // else it was given up before it began
  };
  node_core& node = core.node();
  try {
    call->outcome =
        node.blocking_calls().take(node.world(), {run, [back, &home = core.home()] { home.post(back); }});
  } catch (const std::bad_alloc&) {
    call->outcome = errc::no_memory;
  } catch (const std::system_error&) {  // no thread is to be had
    call->outcome = errc::full;
  }
  if (call->outcome != errc::ok) who.complete();
}

}  // namespace troupe::detail
