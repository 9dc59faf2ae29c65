// The words of a cell (cell.hpp): one writer, in one process, and any number of readers in others that only read them.
//
// The newest value lies in slot `version` modulo `slots`. The writer fills the slot after it and then stores the next version;
// so a writer that is killed at any moment leaves the last value whole, and no reader ever waits for it. A reader copies a
// slot, and looks whether the writer can have come round to it meanwhile: it begins to write over the slot of version v once
// v + slots - 1 is stored. (Lamport, "Concurrent reading and writing", 1977; the fences as in Boehm, "Can seqlocks get along
// with programming language memory models?", 2012.)
//
// | operation                   | who     | edge                                                                   |
// | write: fence                | writer  | release: who sees a word of this write sees the version stored before  |
// | write: store version        | writer  | release, with the reader's load: the slot's words                      |
// | read: load version          | readers | acquire                                                                |
// | read: fence, load version   | readers | acquire: with the writer's fence                                       |
// | the words                   | all     | relaxed                                                                |
#pragma once

#include <cstddef>
#include <cstdint>

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

class cell_words {
 public:
  using word = atomic<std::uint64_t>;
#ifdef TROUPE_CHECKED
  static constexpr std::uint64_t slots = 2;  // few enough to explore
#else
  static constexpr std::uint64_t slots = 4;
#endif

  /// `at`: a version, zero at first, and slots of `each` words.
  cell_words(word* at, std::size_t each) noexcept : version_(*at), words_(at + 1), each_(each) {}
  static constexpr std::size_t count(std::size_t each) noexcept { return 1 + slots * each; }

  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

  void write(const std::uint64_t* from) noexcept {
    const std::uint64_t next = version_.load(std::memory_order_relaxed) + 1;
    fence(std::memory_order_release);
    word* const to = words_ + next % slots * each_;
    for (std::size_t i = 0; i < each_; ++i) to[i].store(from[i], std::memory_order_relaxed);
    version_.store(next, std::memory_order_release);
  }
  /// False: it was written over meanwhile, and `into` is worth nothing.
  bool try_read(std::uint64_t* into) const noexcept {
    const std::uint64_t now = version();
    const word* const from = words_ + now % slots * each_;
    for (std::size_t i = 0; i < each_; ++i) into[i] = from[i].load(std::memory_order_relaxed);
    fence(std::memory_order_acquire);
    return version_.load(std::memory_order_relaxed) - now < slots - 1;
  }

 private:
  word& version_;
  word* words_;
  std::size_t each_;
};

}  // namespace troupe::detail
