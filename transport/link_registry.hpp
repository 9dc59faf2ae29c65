// Which peers this node is linked with, or about to be: one link for each incarnation, and no more than there may be.
//
// Rule. Handshakes run on several workers, so both nodes may dial each other at once. Each handshake claims
// its peer before it goes on: an acceptor before it says welcome, a dialer, for good, before it says confirm;
// the acceptor's claim becomes final with that confirm. Against a final claim every other fails. Against an
// acceptor's it fails too, unless it is for the connection that the smaller incarnation dialled. A dialer
// that was welcomed and may not confirm refuses; so both nodes keep the same connection. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "session.hpp"

namespace troupe::detail {

class link_session;

class link_registry {
 public:
  enum class outcome : std::uint8_t { claimed, taken, full };

  explicit link_registry(std::size_t most) : most_(most) {}

  /// `link` wants to be the one with `peer`; `dialer` is the node that dialled it.
  outcome claim(const incarnation& peer, const incarnation& dialer, std::uint64_t link, bool final) {
    const std::lock_guard lock(mutex_);
    if (links_.size() >= most_ && !links_.contains(peer)) return outcome::full;
    const auto [at, first] = links_.try_emplace(peer, entry{dialer, link, final, {}});
    if (first) return outcome::claimed;
    entry& other = at->second;
    if (other.link == link) {  // it tries another way to the same node
      other.final |= final;
      return outcome::claimed;
    }
    if (other.final || !(dialer < other.dialer)) return outcome::taken;
    other = {dialer, link, final, {}};
    return outcome::claimed;
  }
  /// The dialer has confirmed; false if another link has taken the claim over.
  bool make_final(const incarnation& peer, std::uint64_t link) {
    const std::lock_guard lock(mutex_);
    const auto at = links_.find(peer);
    if (at == links_.end() || at->second.link != link) return false;
    at->second.final = true;
    return true;
  }
  /// What has become of the claim of `link`, which is final.
  void made(const incarnation& peer, std::uint64_t link, std::weak_ptr<link_session> session) {
    const std::lock_guard lock(mutex_);
    const auto at = links_.find(peer);
    if (at != links_.end() && at->second.link == link) at->second.session = std::move(session);
  }
  /// Null: there is none.
  std::shared_ptr<link_session> session_with(const incarnation& peer) {
    const std::lock_guard lock(mutex_);
    const auto at = links_.find(peer);
    return at != links_.end() ? at->second.session.lock() : nullptr;
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
    bool final;
    std::weak_ptr<link_session> session;
  };
  const std::size_t most_;
  std::mutex mutex_;
  std::map<incarnation, entry> links_;
};

}  // namespace troupe::detail
