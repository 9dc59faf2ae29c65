// The borrowing side of a link over shared memory: the peer's slabs that are mapped here, and the loans that go back.
//
// Nothing that the peer says is believed: a slab must be sealed and as large as it says, a loan lie in it. What is borrowed
// keeps its slab mapped, also when the link has ended.
//
// | operation                        | who                                        |
// | give_back                        | any thread: whoever drops the last handle  |
// | everything else                  | the session's home worker                  |
#pragma once

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
  static constexpr std::size_t most_slabs = 1024;

  /// `say` makes the home worker call take_returned; from any thread, and not after close().
  explicit borrower(std::function<void()> say) : say_(std::move(say)) {}

  // These answer with what is wrong, or null.
  const char* map(env& world, const slab_name& name, const descriptor& file);
  const char* unmap(std::uint32_t slab);
  const char* borrow(const loan_entry& l, bulk& out);

  bool knows(std::uint32_t slab) const { return slabs_.contains(slab); }
  /// The loans that nobody here has any more.
  std::vector<std::uint64_t> take_returned();
  void close();

 private:
  class borrowed_block;
  void give_back(std::uint64_t number) noexcept;

  const std::function<void()> say_;
  std::unordered_map<std::uint32_t, std::shared_ptr<const mapping>> slabs_;
  std::mutex guard_;  // of what follows
  bool closed_ = false;
  std::size_t outstanding_ = 0;
  std::vector<std::uint64_t> returned_;  // has room for all that are outstanding
};

}  // namespace troupe::detail
