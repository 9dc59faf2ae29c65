#include "lender.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <troupe/assert.hpp>

namespace troupe::detail {

/// Slabs must stay when their blocks are given back: else each encoding would have one of its own made, told and not used.
static std::size_t bound_of_encodings(const bulk_pool& pool) noexcept {
  const std::uint64_t most = std::min<std::uint64_t>(lender::most_encodings, pool.limit() / 8);
  return most >= bulk_pool::shared_slab ? static_cast<std::size_t>(most) : 0;
}

lender::lender(std::shared_ptr<bulk_pool> pool, teller tell)
    : pool_(std::move(pool)), tell_(std::move(tell)), most_encodings_(bound_of_encodings(*pool_)) {
  pool_->add(*this);
}

lender::~lender() { TROUPE_ASSERT(closed_, "close a link's lender"); }

std::optional<loan_entry> lender::lend(const bulk& b, attachments_out::as what) {
  const bool itself = what == attachments_out::as::itself;
  if (b.empty() || (itself ? b.block()->pool() != pool_.get() : b.size() < least)) return std::nullopt;
  const bulk own = pool_->own(b);
  return own.empty() ? std::nullopt : lend_own(own, kind::bulk);
}

std::optional<std::pair<loan_entry, bulk>> lender::lend_encoding(std::size_t bytes) {
  {
    const std::lock_guard lock(guard_);
    if (closed_ || encodings_ + bytes > most_encodings_) return std::nullopt;
  }
  result<bulk_buffer> memory = pool_->loan(bytes);
  if (!memory) return std::nullopt;
  bulk whole = std::move(*memory).seal();
  const std::optional<loan_entry> lent = lend_own(whole, kind::encoding);
  if (!lent) return std::nullopt;
  return std::pair(*lent, std::move(whole));
}

std::optional<loan_entry> lender::lend_own(const bulk& own, kind what) {
  const bulk_place at = pool_->place_of(*own.block());
  const std::size_t encoding = what == kind::encoding ? own.block()->size : 0;
  const std::lock_guard lock(guard_);
  if (closed_ || lent_.size() >= most_loans_of_a_link || encodings_ + encoding > most_encodings_)
    return std::nullopt;
  const standing slab = tell(at);
  if (slab != standing::mapped && (slab != standing::told || what == kind::encoding)) return std::nullopt;
  lent_.emplace(last_ + 1, loan{own, encoding});
  encodings_ += encoding;
  return loan_entry{++last_, at.offset, own.size(), at.slab.number};
}

/// Tells the peer of the slab, if it does not know it; gone: that cannot be told now.
lender::standing lender::tell(const bulk_place& at) {
  const auto found = slabs_.find(at.slab.number);
  if (found != slabs_.end()) return found->second;
  if (!tell_of_gone() || slabs_.size() >= most_slabs_of_a_link) return standing::gone;
  slabs_.emplace(at.slab.number, standing::told);
  const bool told = tell_ && tell_(at.slab, at.descriptor);
  if (!told) slabs_.erase(at.slab.number);
  return told ? standing::told : standing::gone;
}

void lender::slab_gone(std::uint32_t number) noexcept {
  const std::lock_guard lock(guard_);
  const auto found = slabs_.find(number);
  if (closed_ || found == slabs_.end()) return;
  found->second = standing::gone;
  ++untold_;
  tell_of_gone();
}

/// False: the socket is full, and it is tried again before another slab is passed.
bool lender::tell_of_gone() {
  if (untold_ == 0) return true;
  for (auto s = slabs_.begin(); s != slabs_.end();) {
    const bool is_gone = s->second == standing::gone;
    if (is_gone && !(tell_ && tell_({s->first, 0}, -1))) return false;
    untold_ -= is_gone ? 1 : 0;
    s = is_gone ? slabs_.erase(s) : std::next(s);
  }
  return true;
}

void lender::tell_over(teller tell) {
  const std::lock_guard lock(guard_);
  tell_ = std::move(tell);
  if (tell_) tell_of_gone();
}

bool lender::given_back(std::uint64_t number) {
  loan dropped;  // after the lock: its pool has a mutex, too
  const std::lock_guard lock(guard_);
  const auto found = lent_.find(number);
  if (found == lent_.end()) return false;
  dropped = std::move(found->second);
  lent_.erase(found);
  encodings_ -= dropped.encoding;
  return true;
}

void lender::answered(std::uint32_t slab, standing how) {
  const std::lock_guard lock(guard_);
  const auto found = slabs_.find(slab);
  if (found != slabs_.end() && found->second == standing::told) found->second = how;
}

void lender::close() {
  std::unordered_map<std::uint64_t, loan> out;
  {
    const std::lock_guard lock(guard_);
    if (std::exchange(closed_, true)) return;
    out.swap(lent_);
  }
  pool_->remove(*this);
  for (const auto& [number, l] : out) pool_->spoil(*l.what.block());
}

int outgoing_loans::attach(const bulk& b, as what) {
  const auto known = std::ranges::find_if(decisions_, [&](const decision& d) {
    return d.about.block() == b.block() && d.about.size() == b.size();
  });
  if (known != decisions_.end()) return known->number;
  std::optional<loan_entry> fresh;
  if (list_.size() < most) fresh = lender_.lend(b, what);
  decisions_.push_back({b, fresh ? static_cast<int>(list_.size()) : -1});
  if (!fresh) return -1;
  list_.push_back(*fresh);
  lent_bytes_ += fresh->size;
  return decisions_.back().number;
}

byte_span outgoing_loans::lend_encoding(std::size_t bytes) {
  if (list_.size() == most) return {};
  const auto lent = lender_.lend_encoding(bytes);
  if (!lent) return {};
  list_.push_back(lent->first);
  lent_bytes_ += bytes;
  encoding_ = lent->second;
  return {encoding_.block()->data, bytes};
}

void outgoing_loans::write(std::byte* to) const noexcept {
  if (list_.empty()) return;
  for (const loan_entry& l : list_) {
    store_loan(to, l);
    to += loan_bytes;
  }
  *to = static_cast<std::byte>(list_.size());
}

void outgoing_loans::settle(bool sent) {
  if (decisions_.empty() && list_.empty()) return;
  if (!sent) {
    for (const loan_entry& l : list_) lender_.given_back(l.number);
  }
  encoding_ = {};
  decisions_.clear();
  list_.clear();
  lent_bytes_ = 0;
}

}  // namespace troupe::detail
