// What the local half of actors/ asks of the half that talks to peers (link.cpp, delivery.cpp).
#pragma once

#include <string>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/address.hpp>

namespace troupe::detail {

/// A message that was accepted cannot be delivered: counts it, answers a request with `why`, gives credit
/// back.
void drop(node_core& node, envelope* e, errc why, const address& to) noexcept;
receipt* take_receipt(envelope* e) noexcept;
/// Frees a message that was never handed over, and the receipt that it may carry. Null is nothing.
void free_unsent(envelope* e) noexcept;

/// Tells the sender of a message that waited for room, which is gone then.
void refuse_waiting(envelope* e, error why) noexcept;
/// Brings a receipt to whoever waits for it, here or on a peer node.
void send_home(receipt* r) noexcept;
void answer_peer(receipt* r) noexcept;
void forget_request(peer_node& asker) noexcept;  // answered, or given up; any thread

void notify(actor_core& dead, control& monitor, exit_kind how, const std::string& text) noexcept;
void refuse(actor_core& gone, control* c) noexcept;

void watch_peer(actor_core& watcher, const address& whom);
void unwatch_peer(node_core& node, const address& whom, std::uint64_t watch) noexcept;
void notify_peer(node_core& node, peer_node& watcher, std::uint64_t watch, exit_kind how,
                 const std::string& text) noexcept;

}  // namespace troupe::detail
