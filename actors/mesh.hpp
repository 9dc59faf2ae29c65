// How nodes that have joined one of several come to know the others. Lives on worker 0, which alone touches it.
//
// Nodes introduce to each other those that they are linked with; whoever hears of a node that it has no link with dials it. So
// that not everybody tells everybody of everybody, each introduces one node only: the eldest, that is, of those that it is
// linked with and that can be dialled, the one with the smallest incarnation; and, if that can be dialled from this host only,
// also the eldest of those that other hosts can dial. The eldest, who has none before it, introduces all. A node that joins
// anyone is thus sent to the eldest, which tells it of all and all of it; and where two meshes meet, each hears of the other's
// eldest. If the eldest goes, the next one is it, and nothing is voted on. So a node hears of each other once or twice, and
// of the eldest from everybody. Who is itself the eldest when it joins hears of nobody: the others dial it.
//
// A node dials as many as node_options::mesh on its own, those that it was told to join aside. Of two that hear of each other the
// one with the smaller incarnation dials at once, the other if that does not help. An introduction is not repeated: who could
// not be dialled for half a minute and two leases is met when it joins, or when a ref of it comes. Nobody is sent to a loopback
// address of another host.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <troupe/env.hpp>

#include "by_number.hpp"
#include "session.hpp"

namespace troupe::detail {

/// A node, as others are told of it.
struct introduction {
  std::string name;
  incarnation id;
  std::string url;
};

class node_core;
class peer_node;

class mesh {
 public:
  explicit mesh(node_core& node) : node_(node) {}

  void up(peer_node& peer, const std::optional<endpoint>& at);
  void down(peer_node& peer);
  void introduced(const peer_node& by, const introduction& whom);
  /// Nothing: nobody is sent there by that peer.
  std::optional<endpoint> way_told(const peer_node& by, const std::string& url) const;

  /// Where `for_peer` can dial a node that is linked with this one; empty: it cannot.
  std::string way_to(const incarnation& whom, peer_node& for_peer) const;

  /// Of those whom `to` is to meet, at most `most`, those after `version`; `last` is theirs.
  std::vector<introduction> introductions_to(peer_node& to, std::uint64_t version, std::size_t most,
                                             std::uint64_t& last) const;

 private:
  struct member {
    std::optional<endpoint> at;    // where others can dial it
    std::uint64_t introduced = 0;  // the version of that; 0: it is not
  };
  void choose();
  void introduce_eldest(bool (*counts)(const endpoint&));
  bool is_linked(const incarnation& id) const;

  node_core& node_;
  std::map<peer_node*, member, by_number> linked_;
  std::map<incarnation, instant> met_;  // dialled, because they were introduced; until when
  std::uint64_t version_ = 0;
};

}  // namespace troupe::detail
