#include "lender.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <troupe/assert.hpp>

namespace troupe::detail {

lender::lender(std::shared_ptr<bulk_pool> pool, std::function<bool(const slab_name&, int)> pass,
               std::function<void()> say)
    : pool_(std::move(pool)), pass_(std::move(pass)), say_(std::move(say)) {
  pool_->add(*this);
}

lender::~lender() { TROUPE_ASSERT(closed_, "close a link's lender"); }

bool lender::lend(bulk& b, loan_entry& out) {
  if (b.size() < least) return false;
  if (b.block()->pool() != pool_.get()) {
    result<bulk_buffer> copy = pool_->loan(b.size());
    if (!copy) return false;
    std::memcpy(copy->bytes().data(), b.trusted_bytes().data(), b.size());
    b = std::move(*copy).seal();
  }
  const bulk_place at = pool_->place_of(*b.block());
  const std::lock_guard lock(guard_);
  if (closed_) return false;
  if (!passed_.contains(at.slab.number)) {
    if (passed_.size() >= most_slabs || !pass_(at.slab, at.descriptor)) return false;
    passed_.insert(at.slab.number);
    gone_.reserve(gone_.size() + passed_.size());
  }
  out = {++last_, at.offset, b.size(), at.slab.number};
  return true;
}

void lender::lent(const loan_entry& l, bulk b) {
  {
    const std::lock_guard lock(guard_);
    if (!closed_) return static_cast<void>(lent_.emplace(l.number, std::move(b)));
  }
  pool_->spoil(*b.block());  // the peer may have read of it
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

void lender::slab_gone(std::uint32_t number) noexcept {
  const std::lock_guard lock(guard_);
  if (closed_ || passed_.erase(number) == 0) return;
  gone_.push_back(number);
  if (gone_.size() == 1) say_();
}

std::vector<std::uint32_t> lender::take_gone() {
  const std::lock_guard lock(guard_);
  const std::vector<std::uint32_t> taken(gone_);
  gone_.clear();  // and keeps its memory: slab_gone allocates nothing
  return taken;
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

int outgoing_loans::attach(const bulk& b) {
  const auto known =
      std::ranges::find_if(ready_, [&](const item& i) { return i.asked == b.block() && i.size == b.size(); });
  if (known != ready_.end()) return static_cast<int>(known - ready_.begin());
  if (ready_.size() == most) return -1;
  item fresh{b.block(), b.size(), {}, b};
  if (!lender_.lend(fresh.kept, fresh.what)) return -1;
  lent_bytes_ += fresh.size;
  ready_.push_back(std::move(fresh));
  return static_cast<int>(ready_.size() - 1);
}

void outgoing_loans::write(std::byte* to) const noexcept {
  if (ready_.empty()) return;
  for (const item& i : ready_) {
    store_loan(to, i.what);
    to += loan_bytes;
  }
  *to = static_cast<std::byte>(ready_.size());
}

void outgoing_loans::sent() {
  for (item& i : ready_) lender_.lent(i.what, std::move(i.kept));
  not_sent();
}

}  // namespace troupe::detail
