// Which peers this node is linked with, or about to be: one link for each incarnation.
//
// Rule. Handshakes run on several workers, so both nodes may dial each other at once. Each handshake claims its
// peer before it goes on. Against an established link every claim fails. Against another handshake with the same
// dialer it fails too; with the other dialer, the connection that the smaller incarnation dialled wins. Both nodes
// apply the rule before they say `welcome` or `confirm`, so they keep the same one. Thread-safe.
#pragma once

#include <map>
#include <mutex>

#include "session.hpp"

namespace troupe::detail {

class link_registry {
 public:
  /// `link` wants to be the one with `peer`; `dialer` is the node that dialled it.
  bool claim(const incarnation& peer, const incarnation& dialer, std::uint64_t link) {
    const std::lock_guard lock(mutex_);
    const auto [at, first] = links_.try_emplace(peer, entry{dialer, link, false});
    if (first) return true;
    entry& other = at->second;
    if (other.established || !(dialer < other.dialer)) return false;
    other = {dialer, link, false};
    return true;
  }
  /// The handshake is over; false if another one has taken the claim over.
  bool establish(const incarnation& peer, std::uint64_t link) {
    const std::lock_guard lock(mutex_);
    const auto at = links_.find(peer);
    if (at == links_.end() || at->second.link != link) return false;
    at->second.established = true;
    return true;
  }
  void release(const incarnation& peer, std::uint64_t link) {
    const std::lock_guard lock(mutex_);
    const auto at = links_.find(peer);
    if (at != links_.end() && at->second.link == link) links_.erase(at);
  }

 private:
  struct entry {
    incarnation dialer;
    std::uint64_t link;
    bool established;
  };
  std::mutex mutex_;
  std::map<incarnation, entry> links_;
};

}  // namespace troupe::detail
