// The lending side of a link over shared memory: which of this node's bulks the peer has, and which slabs it knows.
//
// When the link ends, what is out on loan is spoilt: the peer's process may live on, and read. So its memory is not used again
// by us; the kernel frees it when the peer has unmapped it, or has ended.
//
// | operation                            | who                                                   |
// | lender: lend, lent                   | any worker that sends                                 |
// | lender: given_back, take_gone, close | the session's home worker                             |
// | lender: slab_gone                    | any thread, under the pool's mutex                    |
// | outgoing_loans: everything           | the worker of its stream                              |
//
// One mutex, which may be taken under the pool's, never the other way round.
#pragma once

#include <functional>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bulk_pool.hpp"
#include "loans.hpp"

namespace troupe::detail {

class lender final : public slab_watcher {
 public:
  static constexpr std::size_t least = 32 * 1024;  // what is smaller is sooner copied
  static constexpr std::size_t most_slabs = 1024;  // that a peer keeps mapped

  /// `pass` gives the peer a slab before whatever is sent later; `say` makes the home worker call take_gone. Both from any
  /// worker, and not after close().
  lender(std::shared_ptr<bulk_pool> pool, std::function<bool(const slab_name&, int)> pass,
         std::function<void()> say);
  ~lender();

  /// Makes the loan ready: `b` is to be kept until lent() or for as long as the loan is not sent. A bulk that is not of this
  /// node's pool is copied into it first, and `b` is the copy then. False: it cannot be lent.
  bool lend(bulk& b, loan_entry& out);
  void lent(const loan_entry& l, bulk b);
  /// False: that was not lent.
  bool given_back(std::uint64_t number);
  std::vector<std::uint32_t> take_gone();
  void close();

  void slab_gone(std::uint32_t number) noexcept override;

 private:
  const std::shared_ptr<bulk_pool> pool_;
  const std::function<bool(const slab_name&, int)> pass_;
  const std::function<void()> say_;
  std::mutex guard_;
  bool closed_ = false;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, bulk> lent_;
  std::unordered_set<std::uint32_t> passed_;
  std::vector<std::uint32_t> gone_;
};

/// What the message lends that a stream encodes now. A bulk keeps its number if the message is encoded again.
class outgoing_loans final : public attachments_out {
 public:
  explicit outgoing_loans(lender& of) noexcept : lender_(of) {}

  int attach(const bulk& b) override;
  /// Bytes of the list.
  std::size_t bytes() const noexcept { return ready_.empty() ? 0 : ready_.size() * loan_bytes + 1; }
  void write(std::byte* to) const noexcept;
  /// Of all in the list together.
  std::uint64_t lent_bytes() const noexcept { return lent_bytes_; }

  void sent();
  void not_sent() noexcept {
    ready_.clear();
    lent_bytes_ = 0;
  }

 private:
  struct item {
    const bulk_block* asked;  // before it was copied
    std::size_t size;
    loan_entry what;
    bulk kept;
  };
  lender& lender_;
  std::vector<item> ready_;
  std::uint64_t lent_bytes_ = 0;
};

}  // namespace troupe::detail
