#include "borrower.hpp"

#include <utility>

namespace troupe::detail {

class borrower::borrowed_block final : public bulk_block {
 public:
  borrowed_block(std::shared_ptr<borrower> by, std::shared_ptr<const mapping> in,
                 const loan_entry& l) noexcept
      : bulk_block(in->data() + l.offset, l.size),
        by_(std::move(by)),
        in_(std::move(in)),
        number_(l.number) {}
  ~borrowed_block() override { by_->give_back(number_); }

 private:
  std::shared_ptr<borrower> by_;
  std::shared_ptr<const mapping> in_;
  std::uint64_t number_;
};

const char* borrower::map(env& world, const slab_name& name, const descriptor& file) {
  if (slabs_.size() >= most_slabs) return "more slabs than a peer may pass";
  if (slabs_.contains(name.number)) return "a slab of a number that is taken";
  if (name.size > bulk_pool::most_bytes) return "a slab over 1 GiB";
  auto memory = world.map_segment(file.get(), name.size);
  if (!memory)
    return "a slab that cannot be mapped, is not sealed, or has another size than it was said to have";
  slabs_.emplace(name.number, std::make_shared<const mapping>(std::move(*memory)));
  return nullptr;
}

const char* borrower::unmap(std::uint32_t slab) {
  return slabs_.erase(slab) == 1 ? nullptr : "a slab is gone that never was passed";
}

const char* borrower::borrow(const loan_entry& l, bulk& out) {
  const auto in = slabs_.find(l.slab);
  if (in == slabs_.end()) return "a loan from a slab that was never passed";
  const std::size_t whole = in->second->size();
  if (l.size == 0 || l.size > whole || l.offset > whole - l.size)
    return "a loan that lies outside of its slab";
  {
    const std::lock_guard lock(guard_);
    if (++outstanding_ > returned_.capacity()) returned_.reserve(2 * outstanding_);
  }
  out = bulk(*new borrowed_block(shared_from_this(), in->second, l), l.size);
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
  returned_.clear();  // and keeps its memory: give_back allocates nothing
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
