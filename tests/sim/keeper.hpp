// An actor that keeps a journal on its node's disk: numbered records, whose checksums are chained. What it says is durable
// must be there, whole and in order, whenever a later life of the node reads it back.
#pragma once

#include "scene.hpp"

namespace seeds {

/// What the world may rely on of one node's journal, whatever happens to the node and its host.
struct journal_promise {
  std::uint64_t records = 0;
  std::uint64_t chain = 0;  // the checksum of the last of them, and so of all
};
using promise_ptr = std::shared_ptr<journal_promise>;

/// Reads the journal back, and adds to it for so many rounds.
troupe::actor run_keeper(troupe::self<troupe::protocol<>> me, scene_ptr s, life_ptr own, promise_ptr promised,
                         std::uint64_t seed);

}  // namespace seeds
