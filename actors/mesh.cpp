#include "mesh.hpp"

#include <algorithm>
#include <utility>

#include "handshake.hpp"
#include "names.hpp"
#include "node_core.hpp"
#include "peers.hpp"

namespace troupe::detail {
namespace {

constexpr duration other_first = std::chrono::seconds(1);  // who has the smaller incarnation dials
constexpr duration patience = std::chrono::seconds(30);

bool listens(const node_core& node) {
  return std::ranges::any_of(node.endpoints(),
                             [](const endpoint& e) { return e.family == endpoint::kind::tcp; });
}

}  // namespace

void mesh::up(peer_node& peer, const std::optional<endpoint>& at) {
  linked_[&peer] = {at, 0};
  choose();
}

void mesh::down(peer_node& peer) {
  linked_.erase(&peer);
  choose();
}

/// Whom this node introduces: an introduction that has been made is not taken back. The eldest of those whom other hosts can dial,
/// too: they do not hear of one that they cannot.
void mesh::choose() {
  const std::uint64_t before = version_;
  introduce_eldest([](const endpoint&) { return true; });
  introduce_eldest([](const endpoint& at) { return !at.is_loopback(); });
  if (version_ == before) return;
  for (const auto& [peer, m] : linked_) node_.all_names().poke_announcer(*peer);
}

void mesh::introduce_eldest(bool (*counts)(const endpoint&)) {
  const peer_node* eldest = nullptr;
  for (const auto& [peer, m] : linked_) {
    if (m.at && counts(*m.at) && (eldest == nullptr || peer->who.id < eldest->who.id)) eldest = peer;
  }
  const bool all = eldest != nullptr && listens(node_) && node_.identity().id < eldest->who.id;
  for (auto& [peer, m] : linked_) {
    const bool is_due = peer == eldest || (all && m.at && counts(*m.at));
    if (is_due && m.introduced == 0) m.introduced = ++version_;
  }
}

std::string mesh::way_to(const incarnation& whom, peer_node& for_peer) const {
  const bool near = for_peer.near.load(std::memory_order_relaxed);
  for (const auto& [peer, m] : linked_) {
    if (peer->who.id != whom || !m.at || (m.at->is_loopback() && !near)) continue;
    return m.at->url();
  }
  return {};
}

std::vector<introduction> mesh::introductions_to(peer_node& to, std::uint64_t version, std::size_t most,
                                                 std::uint64_t& last) const {
  const bool near = to.near.load(std::memory_order_relaxed);
  std::vector<std::pair<std::uint64_t, introduction>> newer;
  for (const auto& [peer, m] : linked_) {
    if (m.introduced <= version || peer == &to || (m.at->is_loopback() && !near)) continue;
    newer.push_back({m.introduced, {peer->who.name, peer->who.id, m.at->url()}});
  }
  std::ranges::sort(newer, {}, [](const auto& each) { return each.first; });
  if (newer.size() > most) newer.resize(most);
  last = newer.size() == most ? newer.back().first : version_;
  std::vector<introduction> nodes;
  for (auto& each : newer) nodes.push_back(std::move(each.second));
  return nodes;
}

std::optional<endpoint> mesh::way_told(const peer_node& by, const std::string& url) const {
  const auto at = endpoint::parse(url);
  const bool near = by.near.load(std::memory_order_relaxed);
  const bool can_be = at && at->family == endpoint::kind::tcp && at->port != 0 && at->host != "0.0.0.0" &&
                      at->host != "::" && (near || !at->is_loopback());
  return can_be ? std::optional(*at) : std::nullopt;
}

void mesh::introduced(const peer_node& by, const introduction& whom) {
  const instant now = node_.world().now();
  const peer_node* const same = node_.all_peers().named(whom.name);
  const auto at = way_told(by, whom.url);
  if (!at || !valid_node_name(whom.name) || (same != nullptr && same->who.id == whom.id)) return;
  std::erase_if(met_, [&](const auto& each) { return each.second < now && !is_linked(each.first); });
  if (met_.size() >= node_.options().mesh && !met_.contains(whom.id)) return;
  const duration pause = node_.identity().id < whom.id ? duration::zero() : other_first;
  // As long as a predecessor of that name may seem to be linked.
  const instant until = now + patience + 2 * node_.options().lease;
  met_[whom.id] = until;
  node_.links().meet({whom.name, whom.id}, *at, pause, until);
}

bool mesh::is_linked(const incarnation& id) const {
  return std::ranges::any_of(linked_, [&](const auto& each) { return each.first->who.id == id; });
}

}  // namespace troupe::detail
