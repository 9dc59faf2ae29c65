// Monitors across links: this node's actors that watch a peer's, and a peer's that watch ours.
#include <utility>

#include <troupe/detail/checked.hpp>

#include "delivery.hpp"
#include "meetings.hpp"
#include "node_core.hpp"
#include "peers.hpp"
#include "wire_notes.hpp"

namespace troupe::detail {

void watch_peer(actor_core& watcher, const address& whom) {
  peer_node& peer = *whom.peer();
  worker_state& here = *watcher.node().here();
  envelope* const notice = make_notice(whom);
  out_stream* const stream = here.stream_to(peer);
  const bool meets = stream == nullptr && meetings::can_meet(peer);
  if (stream == nullptr && !meets) {
    fill_notice(notice, exit_kind::unreachable, "no link to its node");
    watcher.node().count(entry::accepted_local);
    return watcher.deliver(watcher.generation(), notice);
  }
  const std::uint64_t number = here.next_number();
  here.watches.emplace(number,
                       worker_state::pending_watch{&watcher, watcher.generation(), whom, notice, !meets});
  watcher.watch(whom, number);
  if (meets) return peer.node.all_meetings().begin(peer);
  stream->control({note_monitor, whom.wire_target(), number, 0, {}});
}

/// Once it is linked, or could not be.
void meet_watched(worker_state& here, peer_node& whom) {
  out_stream* const stream = here.stream_to(whom);
  std::vector<std::uint64_t> untold;
  for (auto& [number, w] : here.watches) {
    if (w.whom.peer() == &whom && !std::exchange(w.told, true)) untold.push_back(number);
  }
  for (const std::uint64_t number : untold) {
    if (stream != nullptr) {
      stream->control({note_monitor, here.watches.at(number).whom.wire_target(), number, 0, {}});
    } else {
      deliver_notice(here, whom, number, exit_kind::unreachable, "no link to its node");
    }
  }
}

void unwatch_peer(node_core& node, const address& whom, std::uint64_t watch) noexcept {
  worker_state& here = *node.here();
  const auto found = here.watches.find(watch);
  if (found == here.watches.end()) return;
  finish(found->second.notice);
  here.watches.erase(found);
  if (out_stream* const stream = here.stream_to(*whom.peer())) {
    stream->control({note_demonitor, whom.wire_target(), watch, 0, {}});
  }
}

void notify_peer(node_core& node, peer_node& watcher, std::uint64_t watch, exit_kind how,
                 const std::string& text) noexcept {
  watcher.watched_here.fetch_sub(1, std::memory_order_relaxed);
  if (out_stream* const stream = node.here()->stream_to(watcher)) {
    stream->control({note_down, 0, watch, static_cast<std::uint8_t>(how),
                     std::string_view(text).substr(0, longest_note_text), true});
  }
}

void deliver_notice(worker_state& here, const peer_node& from, std::uint64_t watch, exit_kind how,
                    const std::string& text) {
  const auto found = here.watches.find(watch);
  if (found == here.watches.end() || found->second.whom.peer() != &from) return;
  const worker_state::pending_watch w = found->second;
  here.watches.erase(found);
  fill_notice(w.notice, how, text);
  here.node.count(entry::accepted_local);
  w.watcher->deliver(w.generation, w.notice);
}

void lose_watches(worker_state& here, const peer_node& peer, exit_kind how, const std::string& text) {
  std::vector<std::uint64_t> lost;
  if (mutated(mutant::deaf_to_link_loss)) return;
  for (const auto& [number, w] : here.watches) {
    if (w.whom.peer() == &peer) lost.push_back(number);
  }
  for (const std::uint64_t number : lost) deliver_notice(here, peer, number, how, text);
}

}  // namespace troupe::detail
