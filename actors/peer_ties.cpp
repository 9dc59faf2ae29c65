#include "peer_ties.hpp"

#include "control.hpp"
#include "peers.hpp"

namespace troupe::detail {

void peer_ties::remove(peer_node& peer, actor_core& actor) noexcept {
  const auto of_peer = ties_.find(&peer);
  TROUPE_ASSERT(of_peer != ties_.end() && of_peer->second.contains(&actor), "a tie is removed once");
  const auto found = of_peer->second.find(&actor);
  if (--found->second == 0) of_peer->second.erase(found);
  if (of_peer->second.empty()) ties_.erase(of_peer);
}

void peer_ties::give_up(peer_node& peer, actor_core& actor) noexcept {
  remove(peer, actor);
  peer.watched_here.fetch_sub(1, std::memory_order_relaxed);
}

void peer_ties::lose(peer_node& peer, std::uint32_t session, const exit_reason& why) {
  const auto of_peer = ties_.find(&peer);
  if (of_peer == ties_.end()) return;
  for (const auto& [actor, ties] : of_peer->second) {
    auto* const c = new control(order::lost);
    c->peer = &peer;
    c->session = session;
    c->words = std::make_unique<last_words>();
    c->words->why = why;
    actor->command(actor->generation(), c);
  }
}

std::size_t peer_ties::actors() const noexcept {
  std::size_t sum = 0;
  for (const auto& [peer, actors] : ties_) sum += actors.size();
  return sum;
}

}  // namespace troupe::detail
