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

void mesh::up(peer_node& peer, const peer_place& where) {
  linked_[&peer] = {where};
  choose();
}

void mesh::down(peer_node& peer) {
  linked_.erase(&peer);
  choose();
}

/// Whom this node introduces: an introduction that has been made is not taken back.
void mesh::choose() {
  std::pair<peer_node* const, member>* eldest = nullptr;
  for (auto& each : linked_) {
    const bool older = eldest == nullptr || each.first->who.id < eldest->first->who.id;
    if (each.second.where.at && older) eldest = &each;
  }
  if (eldest == nullptr) return;
  const std::uint64_t before = version_;
  const auto introduce = [&](member& m) {
    if (m.where.at && m.introduced == 0) m.introduced = ++version_;
  };
  if (listens(node_) && node_.identity().id < eldest->first->who.id) {
    for (auto& [peer, m] : linked_) introduce(m);
  } else {
    introduce(eldest->second);
  }
  if (version_ == before) return;
  for (const auto& [peer, m] : linked_) node_.all_names().poke_announcer(*peer);
}

std::string mesh::way_to(const incarnation& whom, peer_node& for_peer) const {
  const auto asks = linked_.find(&for_peer);
  const bool near = asks != linked_.end() && asks->second.where.near;
  for (const auto& [peer, m] : linked_) {
    if (peer->who.id != whom || !m.where.at || (m.where.at->is_loopback() && !near)) continue;
    return m.where.at->url();
  }
  return {};
}

std::vector<introduction> mesh::introductions_to(peer_node& to, std::uint64_t version, std::size_t most,
                                                 std::uint64_t& last) const {
  const auto whom = linked_.find(&to);
  const bool near = whom != linked_.end() && whom->second.where.near;
  std::vector<std::pair<std::uint64_t, introduction>> newer;
  for (const auto& [peer, m] : linked_) {
    if (m.introduced <= version || peer == &to || (m.where.at->is_loopback() && !near)) continue;
    newer.push_back({m.introduced, {peer->who.name, peer->who.id, m.where.at->url()}});
  }
  std::ranges::sort(newer, {}, [](const auto& each) { return each.first; });
  if (newer.size() > most) newer.resize(most);
  last = newer.size() == most ? newer.back().first : version_;
  std::vector<introduction> nodes;
  for (auto& each : newer) nodes.push_back(std::move(each.second));
  return nodes;
}

void mesh::introduced(const introduction& whom) {
  if (linked_.size() >= node_.options().mesh || !valid_node_name(whom.name)) return;
  if (node_.all_peers().named(whom.name) != nullptr) return;
  const auto at = endpoint::parse(whom.url);
  if (!at || at->family != endpoint::kind::tcp) return;
  const instant now = node_.world().now();
  const duration pause = node_.identity().id < whom.id ? duration::zero() : other_first;
  node_.links().meet({whom.name, whom.id}, *at, pause, now + patience);
}

}  // namespace troupe::detail
