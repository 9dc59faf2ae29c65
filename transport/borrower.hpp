// The borrowing side of a link over shared memory: the peer's slabs that are mapped here, and the loans that go back.
//
// Nothing that the peer says is believed: a slab must be sealed and as large as it says, a loan lie in it. What is borrowed
// keeps its slab mapped, also when the link has ended. A slab for which there is no descriptor or room here is refused: what is lent
// of it is lost (no_memory), and the peer is told to lend nothing more of it.
//
// | operation                        | who                                        |
// | give_back                        | any thread: whoever drops the last handle  |
// | everything else                  | the session's home worker                  |
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "bulk_pool.hpp"
#include "loans.hpp"

namespace troupe::detail {

class borrower : public std::enable_shared_from_this<borrower> {
 public:
  /// Mappings of this process that peers may cause: the kernel lets it have 65530 in all.
  static constexpr std::int64_t most_mapped = 16 * 1024;

  /// `say` makes the home worker call take_returned; from any thread, and not after close().
  explicit borrower(std::function<void()> say) : say_(std::move(say)) {}

  // These answer with what is wrong, or null.
  const char* map(env& world, const slab_name& name, const descriptor& file);
  const char* unmap(std::uint32_t slab);
  const char* refuse(std::uint32_t slab);
  /// Leaves `out` empty if its slab was refused.
  const char* borrow(const loan_entry& l, bulk& out);

  bool knows(std::uint32_t slab) const { return slabs_.contains(slab); }
  /// The loans that nobody here has any more.
  std::vector<std::uint64_t> take_returned();
  /// The slabs that were refused, or mapped, until the peer is told: whoever tells it empties the list.
  std::vector<std::uint32_t>& refused() noexcept { return refused_; }
  std::vector<std::uint32_t>& mapped() noexcept { return mapped_; }
  void close();

 private:
  class mapped_slab;
  class borrowed_block;
  void give_back(std::uint64_t number) noexcept;

  const std::function<void()> say_;
  std::unordered_map<std::uint32_t, std::shared_ptr<const mapped_slab>> slabs_;  // null: refused
  std::shared_ptr<std::atomic<std::int64_t>> mapped_here_ = std::make_shared<std::atomic<std::int64_t>>(0);
  std::vector<std::uint32_t> refused_;
  std::vector<std::uint32_t> mapped_;
  std::mutex guard_;  // of what follows
  bool closed_ = false;
  std::size_t outstanding_ = 0;
  std::vector<std::uint64_t> returned_;  // has room for all that are outstanding
};

}  // namespace troupe::detail
