#include "shm_memory.hpp"

#include <string>
#include <utility>

#include <troupe/assert.hpp>

namespace troupe::detail {

shm_pair prepare_shm(env& world, unsigned streams, unsigned peer_streams, const shm_limits& limits) {
  TROUPE_ASSERT(is_ring_size(limits.ring_bytes), "a power of two within the limits");
  shm_pair pair;
  pair.streams = streams;
  pair.peer_streams = peer_streams;
  pair.offer.ring_bytes = limits.ring_bytes;
  const std::size_t size = shm_segment::size_for(streams, peer_streams, limits.ring_bytes);
  if (limits.pool) pair.room = limits.pool->take_room(size);
  if (limits.pool && !pair.room) {
    pair.offer.text = "no shared memory: " + std::to_string(size) +
                      " bytes of rings do not fit in what node_options::shared_memory (" +
                      std::to_string(limits.pool->limit()) + ", half of it for rings) has left";
    return pair;
  }
  auto segment = world.create_segment(size);
  if (!segment) {
    pair.offer.text = "no shared memory: " + segment.error().text();
    return pair;
  }
  auto doorbell = world.open_doorbell();
  if (!doorbell) {
    pair.offer.text = "no doorbell: " + doorbell.error().text();
    return pair;
  }
  if (!world.can_hear(doorbell->heard.get())) {
    pair.offer.text = "no doorbell can be heard here: vmsplice is refused";
    return pair;
  }
  pair.memory_fd = std::move(segment->first);
  pair.mine = shm_segment(std::move(segment->second), streams, peer_streams, limits.ring_bytes);
  pair.bell = std::move(*doorbell);
  pair.offer.ok = true;
  return pair;
}

memory_offer map_peer_shm(env& world, shm_pair& pair, heard& theirs) {
  pair.memory_fd.reset();
  memory_offer verdict;
  const std::optional<memory_offer> offer = parse_memory_offer(theirs.body);
  if (theirs.header.kind != greeting_kind::memory || !offer) {
    verdict.text = "the peer offered no memory";
  } else if (!pair.offer.ok) {
    verdict.text = pair.offer.text;
  } else if (!offer->ok) {
    verdict.text = offer->text;
  } else if (theirs.descriptors.size() != 2) {
    verdict.text = "the peer's descriptors did not arrive";
  } else if (!world.can_hear(theirs.descriptors[1].get())) {
    verdict.text = "the peer's doorbell cannot be heard";
  } else if (!is_ring_size(offer->ring_bytes)) {
    verdict.text = "the peer's rings have a size that is not allowed";
  } else {
    const std::size_t size = shm_segment::size_for(pair.peer_streams, pair.streams, offer->ring_bytes);
    auto memory = world.map_segment(theirs.descriptors[0].get(), size);
    verdict.ok = memory.has_value();
    if (memory) {
      pair.theirs = shm_segment(std::move(*memory), pair.peer_streams, pair.streams, offer->ring_bytes);
      pair.ear = std::move(theirs.descriptors[1]);
    } else {
      verdict.text = "the peer's memory cannot be used: " + memory.error().text();
    }
  }
  return verdict;
}

}  // namespace troupe::detail
