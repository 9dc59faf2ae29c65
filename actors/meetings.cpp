#include "meetings.hpp"

#include <troupe/self.hpp>

#include "mesh.hpp"
#include "node_core.hpp"
#include "peers.hpp"
#include "root.hpp"

namespace troupe::detail {
namespace {

/// Also if the actor is killed.
struct end_of_meeting {
  explicit end_of_meeting(peer_node& p) : whom(p) {}
  end_of_meeting(const end_of_meeting&) = delete;
  end_of_meeting& operator=(const end_of_meeting&) = delete;
  ~end_of_meeting() { whom.node.all_meetings().over(whom); }
  peer_node& whom;
};

actor run_meeting(self<protocol<>> me, ref<root_protocol> introducer, ref<root_protocol> whom) {
  node_core& node = core_of(me.node());
  peer_node& peer = *address_of(whom).peer();
  const end_of_meeting end(peer);
  const ref<> from = ref_to<protocol<>>(node.root().self());
  const result<std::string> url = co_await introducer.ask<where_is>(from, peer.who.id);
  if (!url || !node.all_nodes().way_told(*address_of(introducer).peer(), *url)) co_return;
  (void)co_await me.node().join(*url);
}

}  // namespace

bool meetings::can_meet(const peer_node& whom) noexcept {
  return whom.introducer.load(std::memory_order_relaxed) != nullptr && whom.link.number() == 0;
}

void meetings::begin(peer_node& whom) {
  node_.workers().at(0).post([this, &whom](worker&) {
    peer_node* const introducer = whom.introducer.load(std::memory_order_relaxed);
    if (introducer == nullptr || whom.link.number() != 0) return over(whom);
    if (under_way_.contains(&whom)) return;
    if (under_way_.size() >= most_at_a_time) return over(whom);
    spawn_options options;
    options.name = "meeting";
    options.worker = 0;
    const auto asks = spawn_actor(node_, nullptr, options, &run_meeting, root_of(*introducer), root_of(whom));
    if (!asks) return over(whom);
    under_way_[&whom] = asks;
  });
}

void meetings::end() {
  for (const auto& [whom, asks] : under_way_) node_.face().kill(asks);
}

void meetings::over(peer_node& whom) {
  under_way_.erase(&whom);
  whom.introducer.store(nullptr, std::memory_order_relaxed);  // it has been asked
  for (unsigned i = 0; i < node_.workers().size(); ++i) {
    node_.workers().at(i).post([this, i, &whom](worker&) { end_meeting(node_.state(i), whom); });
  }
}

}  // namespace troupe::detail
