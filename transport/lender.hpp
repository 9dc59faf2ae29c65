// The lending side of a link over shared memory: which of this node's bulks and encodings the peer has, and which slabs it knows.
//
// A bulk is lent of any slab that the peer was told of: if it cannot map that, the message is lost. An encoding could go in chunks
// as well, so it is lent only of what the peer says that it has mapped.
//
// Slabs are passed, and let go, over one socket, in order; a slab goes only when no loan of it is out. So what the peer has mapped is
// what it was passed, and the bound is one for both sides. So is that of the loans which are out: what is beyond it goes as bytes.
//
// When the link ends, what is out on loan is spoilt: the peer's process may live on, and read. So its memory is not used again
// by us; the kernel frees it when the peer has unmapped it, or has ended.
//
// | operation                                 | who                                                    |
// | lender: lend, given_back                  | any worker that sends; given_back also the home worker |
// | lender: mapped, refused, close, tell_over | the session's home worker                              |
// | lender: slab_gone                         | any thread, under the pool's mutex                     |
// | outgoing_loans: everything                | the worker of its stream                               |
//
// One mutex, which may be taken under the pool's, never the other way round.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "bulk_pool.hpp"
#include "loans.hpp"

namespace troupe::detail {

class lender final : public slab_watcher {
 public:
  static constexpr std::size_t least = 32 * 1024;  // what is smaller is sooner copied
  /// Bytes of blocks with encodings that the peer has not given back; no more than an eighth of the pool, so that a peer that
  /// gives nothing back does not take it all.
  static constexpr std::size_t most_encodings = 64u << 20;

  /// Tells the peer of a slab, with its descriptor, or that it is gone, without one, before whatever is sent later. From any
  /// thread, and not after close() or tell_over(). False: it could not be told.
  using teller = std::function<bool(const slab_name&, int descriptor)>;
  lender(std::shared_ptr<bulk_pool> pool, teller tell);
  ~lender();

  /// From now on it is out on loan, until it is given back. What is not of this node's pool is copied into it, once
  /// for all who lend it, or is to be lent itself, and cannot. Nothing: it cannot be lent.
  std::optional<loan_entry> lend(const bulk& b, attachments_out::as what = attachments_out::as::bytes);
  /// Memory that is out on loan, to be written before its frame is published. Nothing: there is none, or the peer has not
  /// mapped it, or has too many. The handle keeps the memory while it is written, whatever becomes of the loan.
  std::optional<std::pair<loan_entry, bulk>> lend_encoding(std::size_t bytes);
  /// The lane over which it told of slabs is gone; without another one it lends only of slabs that the peer knows.
  void tell_over(teller tell);
  /// By the peer, or since it was not sent. False: that was not lent.
  bool given_back(std::uint64_t number);
  /// The peer has mapped that slab, or cannot.
  void mapped(std::uint32_t slab) { answered(slab, standing::mapped); }
  void refused(std::uint32_t slab) { answered(slab, standing::refused); }
  void close();

  void slab_gone(std::uint32_t number) noexcept override;

 private:
  enum class standing : std::uint8_t {
    told,
    mapped,
    refused,
    gone
  };  // gone: and could not be told of it yet
  struct loan {
    bulk what;
    std::size_t encoding;  // bytes of its block; 0: it is none
  };
  enum class kind : std::uint8_t { bulk, encoding };
  std::optional<loan_entry> lend_own(const bulk& own, kind what);
  standing tell(const bulk_place& at);
  void answered(std::uint32_t slab, standing how);
  bool tell_of_gone();

  const std::shared_ptr<bulk_pool> pool_;
  teller tell_;
  const std::size_t most_encodings_;
  std::mutex guard_;
  bool closed_ = false;
  std::uint64_t last_ = 0;
  std::size_t untold_ = 0;     // slabs that are gone
  std::size_t encodings_ = 0;  // bytes of those that are out
  std::unordered_map<std::uint64_t, loan> lent_;
  std::unordered_map<std::uint32_t, standing> slabs_;  // that the peer has been told of
};

/// What the message lends that a stream encodes now. A bulk keeps its number, or goes inline again, if the message is encoded
/// again.
class outgoing_loans final : public attachments_out {
 public:
  explicit outgoing_loans(lender& of) noexcept : lender_(of) {}

  int attach(const bulk& b, as what) override;
  /// Lends memory of so many bytes for the encoding itself, as the last of the list: who encodes writes it before the frame is
  /// published. Empty: it does not go that way.
  byte_span lend_encoding(std::size_t bytes);
  /// Bytes of the list.
  std::size_t bytes() const noexcept { return loan_list_bytes(list_.size()); }
  /// With one more in it.
  std::size_t bytes_with_encoding() const noexcept { return loan_list_bytes(list_.size() + 1); }
  void write(std::byte* to) const noexcept;
  /// Of all in the list together.
  std::uint64_t lent_bytes() const noexcept { return lent_bytes_; }

  /// The message went, or not: then nothing of it is lent.
  void settle(bool sent);

 private:
  struct decision {
    bulk about;
    int number;
  };
  lender& lender_;
  std::vector<decision> decisions_;
  std::vector<loan_entry> list_;
  bulk encoding_;  // which is written
  std::uint64_t lent_bytes_ = 0;
};

}  // namespace troupe::detail
