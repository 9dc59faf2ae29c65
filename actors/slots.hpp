// The actor slots of a node: allocated in chunks, found by number, never freed while the node lives, so that
// a stale address always points at a slot. A slot stays with one home worker.
//
// | operation        | who                                   | synchronisation                              |
// | take, give_back  | the slot's home worker                | none: its own free list                      |
// | take, give_back  | any other thread                      | the mutex                                    |
// | find, count      | any thread                            | published: the chunks that are counted       |
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/published.hpp>

#include "rundown.hpp"

namespace troupe::detail {

class slots {
 public:
  static constexpr std::uint32_t chunk_size = 256;
  static constexpr std::uint32_t most_chunks = 65536;

  slots(node_core& node, rundown& actors, unsigned workers, std::uint32_t most_actors);
  slots(const slots&) = delete;
  slots& operator=(const slots&) = delete;
  ~slots();

  /// A free slot with that home, or null at the limit. It is given back if the node is found stopping then.
  actor_core* take(worker& home);
  /// The actor has ended and its parent has taken it out of the family.
  void give_back(actor_core& slot) noexcept;
  /// Null when there is no such slot.
  actor_core* find(std::uint32_t number) const noexcept;

  std::uint64_t live() const noexcept { return actors_.inside(); }
  /// Slots that exist, free or not; for walking.
  std::uint32_t count() const noexcept { return count_.load(); }

 private:
  struct shelf {
    std::vector<actor_core*> own;    // home worker only
    std::vector<actor_core*> spare;  // under guard_
  };
  void leave() noexcept;
  bool grow(worker& home, std::vector<actor_core*>& into);

  node_core& node_;
  rundown& actors_;  // those that have a slot
  std::uint32_t most_actors_;
  std::mutex guard_;
  std::vector<shelf> shelves_;
  std::unique_ptr<atomic<actor_core*>[]> chunks_;  // each: raw storage of chunk_size slots
  published<std::uint32_t> count_;
};

}  // namespace troupe::detail
