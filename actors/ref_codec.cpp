// How a ref travels: a tag that says whose actor it is (0 nobody, 1 the sender's, 2 the receiver's, 3 a third
// node's, followed by that node's incarnation), then slot and generation.
#include <troupe/ref.hpp>

#include "node_core.hpp"
#include "peers.hpp"
#include "slots.hpp"

namespace troupe::detail {
namespace {

enum tag : std::uint8_t { nobody, senders, receivers, third };

template <class T>
void put(writer& out, T value) noexcept {
  out.write(&value, sizeof value);
}
template <class T>
T get(reader& in) noexcept {
  T value{};
  in.read(&value, sizeof value);
  return value;
}

/// Who sent a ref of it first knows it best; the next one counts if that one has gone.
void be_introduced(peer_node& whom, peer_node& by) noexcept {
  const peer_node* const known = whom.introducer.load(std::memory_order_relaxed);
  if (known == nullptr || !known->link.up()) whom.introducer.store(&by, std::memory_order_relaxed);
}

}  // namespace

void encode_address(writer& out, const address& a) {
  const auto* const link = static_cast<const peer_node*>(out.context());
  if (link == nullptr) return out.fail();
  if (!a) return put(out, nobody);
  if (!a.is_remote()) {
    put(out, senders);
  } else if (a.peer() == link) {
    put(out, receivers);
  } else {
    put(out, third);
    put(out, a.peer()->who.id);
  }
  put(out, a.slot);
  put(out, a.generation);
}

void decode_address(reader& in, address& a) {
  auto* const link = static_cast<peer_node*>(in.context());
  if (link == nullptr) return in.fail();
  node_core& node = link->node;
  const auto whose = get<tag>(in);
  if (whose == nobody) return;
  peer_node* peer = nullptr;
  bool here = false;
  switch (whose) {
    case senders:
      here = link == &node.all_peers().self();
      peer = link;
      break;
    case receivers: here = true; break;
    case third: {
      const auto id = get<incarnation>(in);
      here = id == node.identity().id;
      if (!here && in.ok()) peer = node.all_peers().intern(id);
      if (peer != nullptr && link != &node.all_peers().self()) be_introduced(*peer, *link);
      break;
    }
    default: return in.fail();
  }
  const auto slot = get<std::uint32_t>(in);
  const auto generation = get<std::uint32_t>(in);
  if (!in.ok()) return;
  if (here) {
    if (actor_core* const core = node.all_slots().find(slot)) a = address::of(core, slot, generation);
  } else if (peer != nullptr) {
    a = address::of(peer, slot, generation);
  }
}

}  // namespace troupe::detail
