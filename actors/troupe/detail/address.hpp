// Where an actor is: the untyped inside of a ref. 16 bytes, trivially copyable.
#pragma once

#include <cstdint>
#include <functional>

namespace troupe::detail {

class actor_core;
class peer_node;

/// `where` is the actor's slot in this process, or the peer node (lowest bit set), or 0 for nobody. Slots and
/// peer nodes live as long as their node, so an address may outlive its actor; the generation tells.
struct address {
  std::uintptr_t where = 0;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  static address of(actor_core* core, std::uint32_t slot, std::uint32_t generation) noexcept {
    return {reinterpret_cast<std::uintptr_t>(core), slot, generation};
  }
  static address of(peer_node* peer, std::uint32_t slot, std::uint32_t generation) noexcept {
    return {reinterpret_cast<std::uintptr_t>(peer) | 1u, slot, generation};
  }

  bool is_remote() const noexcept { return (where & 1u) != 0; }
  actor_core* core() const noexcept { return reinterpret_cast<actor_core*>(where); }
  peer_node* peer() const noexcept { return reinterpret_cast<peer_node*>(where & ~std::uintptr_t{1}); }
  std::uint64_t wire_target() const noexcept { return std::uint64_t{slot} << 32 | generation; }
  explicit operator bool() const noexcept { return where != 0; }
  friend bool operator==(const address&, const address&) = default;

  std::size_t hash() const noexcept {
    return std::hash<std::uint64_t>{}(where * 0x9e3779b97f4a7c15u ^ wire_target());
  }
};

}  // namespace troupe::detail
