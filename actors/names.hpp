// Names: which actor of which node is published under which name. Lives on worker 0, which alone touches it.
//
// Every node keeps the names of all nodes it is linked with: on link-up each side's announcer (root.cpp)
// sends its names, and from then on every change; so a lookup is answered at home. A link's names go when the
// link goes.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <troupe/detail/address.hpp>
#include <troupe/detail/message.hpp>
#include <troupe/detail/protocol_info.hpp>
#include <troupe/down.hpp>
#include <troupe/ref.hpp>

#include "by_number.hpp"

namespace troupe::detail {

/// A published name, as nodes tell each other. An empty `actor` withdraws it.
struct name_change {
  std::string name;
  ref<> actor;
  std::vector<std::string> schemas;  // of the messages that the actor accepts
};

/// To an announcer: the names have changed.
struct names_changed {};

class node_core;
class peer_node;

class names {
 public:
  explicit names(node_core& node) : node_(node) {}
  ~names();

  // Each takes care of the receipt.
  void publish(const std::string& name, const address& who, const protocol_info& accepts, receipt* answer);
  void lookup(const std::string& name, const protocol_info& wanted, bool wait, receipt* answer);
  void join(const std::string& url, receipt* answer);
  void adopt(inherited_link link, receipt* answer);  // begin_adopt (naming.hpp)

  void withdraw(const address& ended);
  /// Withdraws all names, for good; `told` is called once every peer knows, or has gone.
  void leave(std::function<void()> told);
  /// Nobody is told anything any more: an announcer may be waiting for a peer that does not answer.
  void fall_silent();
  /// `link` counts the links with that peer. What the peer says may come before peer_up; a peer_down may come
  /// after the next peer_up (they are posted by different workers).
  void peer_up(peer_node& peer, std::uint32_t link, const std::optional<endpoint>& at);
  void peer_down(peer_node& peer, std::uint32_t link, const exit_reason& why);
  void peer_said(peer_node& peer, const name_change& change);
  void peer_has_said_all(peer_node& peer);
  /// There is something to tell that peer.
  void poke_announcer(peer_node& peer);
  /// The peer knows this node's names up to that version.
  void peer_was_told(peer_node& peer, std::uint64_t version);

  /// This node's own names that changed after `version`, at most `most` of them, and their last version.
  std::vector<name_change> changes_after(std::uint64_t version, std::size_t most, std::uint64_t& last) const;

 private:
  struct own_name {
    name_change what;  // without an actor: withdrawn, and some peer may not have been told
    std::uint64_t version;
  };
  struct waiting_lookup {
    std::string name;
    const protocol_info* wanted;
    receipt* answer;
  };
  struct waiting_join {
    peer_node* peer;
    receipt* answer;
  };
  struct known_peer {
    std::map<std::string, name_change> names;
    ref<names_changed> announcer;
    bool has_said_all = false;
    std::uint64_t told = 0;  // the version up to which the announcer has told this peer
    std::uint32_t link = 0;  // 0: peer_up is still to come
  };

  void drop_withdrawn();
  void leave_if_told();
  errc find(const std::string& name, const protocol_info& wanted, address& found) const;
  void changed(const std::string& name);
  bool answer_lookup(const waiting_lookup& w, bool may_wait);
  void joined(const result<session*, setup_error>& linked, receipt* answer);
  void fail_join(receipt* answer, const std::string& why);
  void forget(std::map<peer_node*, known_peer, by_number>::iterator gone, const exit_reason& why);

  node_core& node_;
  std::map<std::string, own_name> own_;
  std::map<peer_node*, known_peer, by_number> peers_;
  std::list<waiting_lookup> lookups_;
  std::list<waiting_join> joins_;
  std::uint64_t version_ = 0;
  bool leaves_ = false;
  std::function<void()> left_;  // to be called
  std::size_t foreign_ = 0;     // names of all peers together
};

}  // namespace troupe::detail
