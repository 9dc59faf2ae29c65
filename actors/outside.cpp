// Messages that threads outside the workers send to actors of peer nodes: through a bounded queue to the
// link's home worker, and from there like any other, each waiting for its destination's credit without
// holding up the rest.
#include <memory>
#include <utility>

#include "delivery.hpp"
#include "meetings.hpp"
#include "node_core.hpp"
#include "peers.hpp"

namespace troupe::detail {
namespace {

/// One message on its way; frees itself when it is sent or lost.
struct outside_send : room_waiter {
  outside_send(peer_node& p, const peer_node::outside_message& m)
      : room_waiter(
            [](room_waiter& self, send_outcome how) noexcept { static_cast<outside_send&>(self).done(how); }),
        peer(p),
        what_for(m) {
    what = {m.to.wire_target(), m.message->type->wire, m.message->message(), 0, {}, &p};
  }

  void done(send_outcome how) noexcept {
    const std::unique_ptr<outside_send> own(this);
    unreserve_outside(peer);
    if (how == send_outcome::sent) return finish(what_for.message);
    drop(peer.node, what_for.message, to_error(how, *what_for.message).code, what_for.to);
  }

  peer_node& peer;
  const peer_node::outside_message what_for;
};

}  // namespace

/// Takes what is there now and no more, and one call at most is posted at a time: threads that send as fast as messages
/// are turned away, which a link that closes does at once, must not keep the worker here nor fill its inbox.
void forward_outside(peer_node& peer) {
  std::deque<peer_node::outside_message> taken;
  {
    const std::lock_guard lock(peer.outside_guard);
    taken.swap(peer.outside);
    peer.outside_posted = false;
  }
  for (const peer_node::outside_message& m : taken) {
    auto* const s = new outside_send(peer, m);
    out_stream* const stream = peer.node.here()->stream_to(peer);
    if (stream == nullptr) {
      s->done(send_outcome::closed);
    } else {
      stream->wait(*s);
    }
  }
}

errc reserve_outside(peer_node& peer) noexcept {
  if (!peer.link.up() && !meetings::can_meet(peer)) return errc::unreachable;
  if (!peer.link.up()) {
    peer.node.all_meetings().begin(peer);
    return errc::full;
  }
  const std::lock_guard lock(peer.outside_guard);
  if (peer.outside_reserved >= peer_node::most_outside) return errc::full;
  ++peer.outside_reserved;
  return errc::ok;
}

void unreserve_outside(peer_node& peer) noexcept {
  const std::lock_guard lock(peer.outside_guard);
  --peer.outside_reserved;
}

void commit_outside(const address& to, envelope* e) noexcept {
  peer_node& peer = *to.peer();
  peer.node.count(entry::accepted_local);
  {
    const std::lock_guard lock(peer.outside_guard);
    peer.outside.push_back({to, e});
    if (std::exchange(peer.outside_posted, true)) return;
  }
  peer.link.home()->post([&peer](worker&) { forward_outside(peer); });
}

std::uint64_t peers::walk_outside() {
  const std::lock_guard lock(guard_);
  std::uint64_t found = 0;
  for (const auto& [id, peer] : table_) {
    const std::lock_guard queue_lock(peer->outside_guard);
    found += peer->outside_reserved;
  }
  return found;
}

}  // namespace troupe::detail
