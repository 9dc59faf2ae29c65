// How a session over a socket gets shared memory: the part of a link that is dialled, or was accepted, for that. Its connection becomes
// the one beside the memory; until both sides have mapped that, nothing changes for the session.
#include <utility>

#include "link.hpp"

namespace troupe::detail {

void link::dial_to_move(endpoint to, std::shared_ptr<link_session> session) {
  greeter_.begin(owner_.options().handshake_deadline);
  home_.resume(run_dialled_to_move(std::move(to), std::move(session)).handle);
}

detached link::run_dialled_to_move(endpoint to, std::shared_ptr<link_session> session) {
  const auto self = shared_from_this();
  const std::uint32_t number = session->next_move();
  resumption asked{owner_.options().self.id, session->peer().id, session->id(), number, {}};
  bool good = !session->is_moving() && !session->ends_half_move();
  if (good) good = co_await reach(std::move(to));
  if (good) good = co_await greeter_.say(greet(asked, greeting_kind::move));
  std::optional<shm_pair> memory;
  if (good) memory = co_await share_memory(session->peer_streams());
  if (memory) move_over(std::move(session), number, std::move(*memory));
  fail();
}

/// The peer asks for it.
task<void> link::move(const heard& first) {
  const bool speaks_it = co_await same_version(first);
  if (!speaks_it) co_return;
  const std::optional<resumption> asked = parse_resumption(first.body);
  if (!asked) co_return greeter_.fail("the peer asks to move in a way that does not parse");
  std::shared_ptr<link_session> session = session_that(*asked);
  const bool may =
      session && session->may_move() && !session->was_dialled() && kind_ == lane_kind::local_socket;
  if (!may || session->suspended() || session->lane() == lane_kind::shm) {
    co_await refuse_to_carry_on(refusal_code::gone);
    co_return;
  }
  session->home().post([session](worker&) { session->ends_half_move(); });
  std::optional<shm_pair> memory = co_await share_memory(session->peer_streams());
  if (memory) move_over(std::move(session), asked->attempt, std::move(*memory));
}

void link::move_over(std::shared_ptr<link_session> session, std::uint32_t number, shm_pair memory) {
  struct parts {
    shm_pair memory;
    connection beside;
  };
  const auto owned = std::make_shared<parts>(parts{std::move(memory), take_connection()});
  session->home().post([session, number, owned](worker& home) {
    session->move_to(std::make_shared<shm_lane>(home, std::move(owned->memory), std::move(owned->beside)),
                     number);
  });
}

}  // namespace troupe::detail
