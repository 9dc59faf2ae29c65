#include "borrower.hpp"

#include <utility>

namespace troupe::detail {

static constexpr const char* too_many = "more slabs than a peer may pass";

/// Of all links of the process together; relaxed: a count.
static std::atomic<std::int64_t> mapped_by_all{0};

class borrower::mapped_slab {
 public:
  mapped_slab(mapping m, std::shared_ptr<std::atomic<std::int64_t>> count) noexcept
      : memory(std::move(m)), of_link_(std::move(count)) {
    of_link_->fetch_add(1, std::memory_order_relaxed);
    mapped_by_all.fetch_add(1, std::memory_order_relaxed);
  }
  mapped_slab(const mapped_slab&) = delete;
  mapped_slab& operator=(const mapped_slab&) = delete;
  ~mapped_slab() {
    of_link_->fetch_sub(1, std::memory_order_relaxed);
    mapped_by_all.fetch_sub(1, std::memory_order_relaxed);
  }

  const mapping memory;

 private:
  std::shared_ptr<std::atomic<std::int64_t>> of_link_;
};

class borrower::borrowed_block final : public bulk_block {
 public:
  borrowed_block(std::shared_ptr<borrower> by, std::shared_ptr<const mapped_slab> in,
                 const loan_entry& l) noexcept
      : bulk_block(in->memory.data() + l.offset, l.size),
        by_(std::move(by)),
        in_(std::move(in)),
        number_(l.number) {}
  ~borrowed_block() override {
    in_.reset();  // first: the peer may let the slab go when it hears
    by_->give_back(number_);
  }

 private:
  std::shared_ptr<borrower> by_;
  std::shared_ptr<const mapped_slab> in_;
  std::uint64_t number_;
};

const char* borrower::map(env& world, const slab_name& name, const descriptor& file) {
  if (slabs_.size() >= most_slabs_of_a_link) return too_many;
  if (slabs_.contains(name.number)) return "a slab of a number that is taken";
  if (name.size > bulk_pool::most_bytes) return "a slab over 1 GiB";
  // Who says that slabs are gone of which it has lent something still has them mapped here.
  if (mapped_here_->load(std::memory_order_relaxed) >= static_cast<std::int64_t>(2 * most_slabs_of_a_link))
    return "slabs are gone of which something is lent";
  std::shared_ptr<const mapped_slab> made;
  if (file && mapped_by_all.load(std::memory_order_relaxed) < most_mapped) {
    auto memory = world.map_segment(file.get(), name.size);
    if (memory) made = std::make_shared<const mapped_slab>(std::move(*memory), mapped_here_);
    if (!memory && memory.error() == errc::bad_message)
      return "a slab that is not sealed, or has another size than it was said to have";
  }
  if (made == nullptr) return refuse(name.number);
  slabs_.emplace(name.number, std::move(made));
  mapped_.push_back(name.number);
  return nullptr;
}

const char* borrower::refuse(std::uint32_t slab) {
  if (slabs_.size() >= most_slabs_of_a_link) return too_many;
  slabs_.emplace(slab, nullptr);
  refused_.push_back(slab);
  return nullptr;
}

const char* borrower::unmap(std::uint32_t slab) {
  if (slabs_.erase(slab) != 1) return "a slab is gone that never was passed";
  std::erase(mapped_, slab);  // who passes slabs and does not read what became of them makes no list grow
  std::erase(refused_, slab);
  return nullptr;
}

const char* borrower::borrow(const loan_entry& l, bulk& out) {
  const auto in = slabs_.find(l.slab);
  if (in == slabs_.end()) return "a loan from a slab that was never passed";
  const bool refused = in->second == nullptr;
  const std::size_t whole = refused ? bulk_pool::most_bytes : in->second->memory.size();
  if (l.size == 0 || l.size > whole || l.offset > whole - l.size)
    return "a loan that lies outside of its slab";
  {
    const std::lock_guard lock(guard_);
    if (outstanding_ >= most_loans_of_a_link) return "more loans than a peer may have out";
    if (++outstanding_ > returned_.capacity()) returned_.reserve(2 * outstanding_);
  }
  if (refused) {
    give_back(l.number);
  } else {
    out = bulk(*new borrowed_block(shared_from_this(), in->second, l), l.size);
  }
  return nullptr;
}

void borrower::give_back(std::uint64_t number) noexcept {
  const std::lock_guard lock(guard_);
  if (closed_) return;
  returned_.push_back(number);
  if (returned_.size() == 1) say_();
}

std::vector<std::uint64_t> borrower::take_returned() {
  const std::lock_guard lock(guard_);
  std::vector<std::uint64_t> taken(returned_);
  returned_.clear();  // and keeps its memory: give_back needs none
  outstanding_ -= taken.size();
  return taken;
}

void borrower::close() {
  slabs_.clear();
  const std::lock_guard lock(guard_);
  closed_ = true;
  returned_.clear();
}

}  // namespace troupe::detail
