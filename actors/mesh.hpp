// How nodes that have joined one of several come to know the others. Lives on worker 0, which alone touches it.
//
// Nodes introduce to each other those that they are linked with; whoever hears of a node that it has no link with dials it. So
// that not everybody tells everybody of everybody, each introduces one node only: the eldest, that is, of those that it is
// linked with and that can be dialled, the one with the smallest incarnation. The eldest, who has none before it, introduces
// all. A node that joins anyone is thus sent to the eldest, which tells it of all and all of it; and where two meshes meet, each
// hears of the other's eldest. If the eldest goes, the next one is it: no node is special, and nothing is voted on. Each
// node hears of each other about twice.
//
// A node dials as many as node_options::mesh on its own. Of two that hear of each other the one with the smaller incarnation
// dials at once, the other if that does not help. Nobody is sent to a loopback address of another host.
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
  std::string url;  // with an address, not a name
};

/// How a linked node can be reached by others.
struct peer_place {
  std::optional<endpoint> at;
  bool near = false;  // on this host
};

class node_core;
class peer_node;

class mesh {
 public:
  explicit mesh(node_core& node) : node_(node) {}

  void up(peer_node& peer, const peer_place& where);
  void down(peer_node& peer);
  void introduced(const introduction& whom);

  /// Where `for_peer` can dial a node that is linked with this one; empty: it cannot.
  std::string way_to(const incarnation& whom, peer_node& for_peer) const;

  /// Of those whom `to` is to meet, at most `most`, those after `version`; `last` is theirs.
  std::vector<introduction> introductions_to(peer_node& to, std::uint64_t version, std::size_t most,
                                             std::uint64_t& last) const;

 private:
  struct member {
    peer_place where;
    std::uint64_t introduced = 0;  // the version of that; 0: it is not
  };
  void choose();

  node_core& node_;
  std::map<peer_node*, member, by_number> linked_;
  std::uint64_t version_ = 0;
};

}  // namespace troupe::detail
