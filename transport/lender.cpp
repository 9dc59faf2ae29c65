#include "lender.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <troupe/assert.hpp>

namespace troupe::detail {

lender::lender(std::shared_ptr<bulk_pool> pool, teller tell)
    : pool_(std::move(pool)), tell_(std::move(tell)) {
  pool_->add(*this);
}

lender::~lender() { TROUPE_ASSERT(closed_, "close a link's lender"); }

std::optional<loan_entry> lender::lend(const bulk& b, attachments_out::as what) {
  const bool itself = what == attachments_out::as::itself;
  if (b.empty() || (itself ? b.block()->pool() != pool_.get() : b.size() < least)) return std::nullopt;
  const bulk own = pool_->own(b);
  if (own.empty()) return std::nullopt;
  const bulk_place at = pool_->place_of(*own.block());
  const std::lock_guard lock(guard_);
  if (closed_ || lent_.size() >= most_loans_of_a_link || !knows(at)) return std::nullopt;
  lent_.emplace(last_ + 1, own);
  return loan_entry{++last_, at.offset, b.size(), at.slab.number};
}

/// Tells the peer of the slab, if it does not know it.
bool lender::knows(const bulk_place& at) {
  const auto found = slabs_.find(at.slab.number);
  if (found != slabs_.end()) return found->second == standing::known;
  if (!tell_of_gone() || slabs_.size() >= most_slabs_of_a_link) return false;
  slabs_.emplace(at.slab.number, standing::known);
  const bool told = tell_(at.slab, at.descriptor);
  if (!told) slabs_.erase(at.slab.number);
  return told;
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
    if (is_gone && !tell_({s->first, 0}, -1)) return false;
    untold_ -= is_gone ? 1 : 0;
    s = is_gone ? slabs_.erase(s) : std::next(s);
  }
  return true;
}

bool lender::given_back(std::uint64_t number) {
  bulk dropped;  // after the lock: its pool has a mutex, too
  const std::lock_guard lock(guard_);
  const auto found = lent_.find(number);
  if (found == lent_.end()) return false;
  dropped = std::move(found->second);
  lent_.erase(found);
  return true;
}

void lender::refused(std::uint32_t slab) {
  const std::lock_guard lock(guard_);
  const auto found = slabs_.find(slab);
  if (found != slabs_.end() && found->second == standing::known) found->second = standing::refused;
}

void lender::close() {
  std::unordered_map<std::uint64_t, bulk> out;
  {
    const std::lock_guard lock(guard_);
    if (std::exchange(closed_, true)) return;
    out.swap(lent_);
  }
  pool_->remove(*this);
  for (const auto& [number, b] : out) pool_->spoil(*b.block());
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

void outgoing_loans::write(std::byte* to) const noexcept {
  if (list_.empty()) return;
  for (const loan_entry& l : list_) {
    store_loan(to, l);
    to += loan_bytes;
  }
  *to = static_cast<std::byte>(list_.size());
}

void outgoing_loans::settle(bool sent) {
  if (decisions_.empty()) return;
  if (!sent) {
    for (const loan_entry& l : list_) lender_.given_back(l.number);
  }
  decisions_.clear();
  list_.clear();
  lent_bytes_ = 0;
}

}  // namespace troupe::detail
