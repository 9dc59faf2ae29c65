// Which of one worker's actors a peer monitors, or are linked with the peer's: those that must hear of the loss of the
// link. It holds no more than peers::most_watched entries for one peer (peer_node::watched_here counts them, of all
// workers). Home worker only.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <troupe/detail/actor_core.hpp>

#include "by_number.hpp"

namespace troupe::detail {

class peer_node;
class worker_state;

class peer_ties {
 public:
  /// One more monitor or link of that actor.
  void add(peer_node& peer, actor_core& actor) { ++ties_[&peer][&actor]; }
  void remove(peer_node& peer, actor_core& actor) noexcept;
  /// … and takes it from the peer's count.
  void give_up(peer_node& peer, actor_core& actor) noexcept;

  /// The peer's link with that number, or an earlier one, has ended: so do these monitors and links.
  void lose(peer_node& peer, std::uint32_t session, const exit_reason& why);
  std::size_t actors() const noexcept;

 private:
  std::map<peer_node*, std::map<actor_core*, std::uint32_t, by_number>, by_number> ties_;
};

}  // namespace troupe::detail
