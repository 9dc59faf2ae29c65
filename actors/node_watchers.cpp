#include "node_watchers.hpp"

#include <algorithm>
#include <utility>

#include <troupe/down.hpp>
#include <troupe/log.hpp>
#include <troupe/self.hpp>

#include "node_core.hpp"
#include "peers.hpp"

namespace troupe::detail {
namespace {

using helper_protocol = protocol<nodes_changed, down>;

actor run_node_watch(self<helper_protocol> me, ref<node_events> to, std::shared_ptr<node_feed> feed) {
  me.monitor(to);
  bool wanted = true;
  while (wanted) {
    while (!feed->untold.empty()) {
      node_feed::event next = std::move(feed->untold.front());
      feed->untold.pop_front();
      result<void> told;
      if (next.up) {
        told = co_await to.send<node_up>(give(next.node));
      } else {
        told = co_await to.send<node_down>(give(next.node), give(next.why));
      }
      if (!told) co_return;
    }
    const auto goes_on = co_await me.receive([](nodes_changed) {}, [&](const down&) { wanted = false; });
    if (!goes_on) co_return;
  }
}

}  // namespace

void node_watchers::add(const ref<node_events>& who) {
  const auto feed = std::make_shared<node_feed>();
  for (const auto& [name, peer] : nodes_) feed->untold.push_back({name, true, {}});
  spawn_options options;
  options.name = "watch of nodes";
  options.mailbox = 1;
  options.worker = 0;
  feed->reader = spawn_actor(node_, nullptr, options, &run_node_watch, who, feed);
  std::erase_if(feeds_, [](const auto& each) { return !poke(*each); });
  if (feed->reader) return feeds_.push_back(feed);
  log(log_level::warning,
      node_.identity().name + ": nobody is told of its nodes: it is at its limit of actors, or stops");
}

void node_watchers::up(const peer_node& peer) {
  // Its predecessor's end may be heard of later.
  if (const auto before = nodes_.find(peer.who.name); before != nodes_.end())
    down(*before->second, {exit_kind::died, "another process has come under its name"});
  nodes_[peer.who.name] = &peer;
  tell({peer.who.name, true, {}});
}

void node_watchers::down(const peer_node& peer, const exit_reason& why) {
  const auto at = nodes_.find(peer.who.name);
  if (at == nodes_.end() || at->second != &peer) return;
  nodes_.erase(at);
  tell({peer.who.name, false, why});
}

/// False: it has ended.
bool node_watchers::poke(const node_feed& feed) {
  const result<void> poked = feed.reader.try_send<nodes_changed>();
  return poked || poked.error() != errc::no_such_actor;  // full: it will look anyway
}

void node_watchers::end() {
  for (const auto& feed : feeds_) node_.face().kill(feed->reader);
}

void node_watchers::tell(const node_feed::event& what) {
  std::erase_if(feeds_, [&](const std::shared_ptr<node_feed>& feed) {
    const auto untold = std::ranges::find_if(
        feed->untold, [&](const node_feed::event& e) { return e.node == what.node && e.up; });
    if (!what.up && untold != feed->untold.end()) {
      feed->untold.erase(untold);
      return false;
    }
    feed->untold.push_back(what);
    return !poke(*feed);
  });
}

}  // namespace troupe::detail
