#include "bulk_pool.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include <troupe/assert.hpp>

namespace troupe::detail {

class bulk_pool::block_in_slab final : public bulk_block {
 public:
  block_in_slab(std::shared_ptr<bulk_pool> of, slab& in, std::byte* at) noexcept
      : bulk_block(at, in.block), pool_(std::move(of)), slab_(in) {}
  ~block_in_slab() override { pool_->give_back(*this); }

  const bulk_pool* pool() const noexcept override { return pool_.get(); }
  slab& in() const noexcept { return slab_; }
  std::uint32_t index() const noexcept {
    return static_cast<std::uint32_t>(static_cast<std::size_t>(data - slab_.memory.data()) / slab_.block);
  }

  bool spoilt = false;  // under the pool's mutex

 private:
  std::shared_ptr<bulk_pool> pool_;
  slab& slab_;
};

bulk_pool::~bulk_pool() {
  TROUPE_ASSERT(watchers_.empty(), "end the links before the pool whose slabs they lend");
}

result<bulk_buffer> bulk_pool::loan(std::size_t size) {
  if (size > most_bytes) return errc::too_large;
  if (size == 0) return bulk_buffer(bulk());
  const std::size_t in_mib = (size + (1 << 20) - 1) >> 20 << 20;
  const std::size_t block = size <= largest_shared_block ? std::max(least_block, std::bit_ceil(size))
                                                         : std::max(in_mib, shared_slab);
  const std::lock_guard lock(guard_);
  slab* const s = with_free_block(block);
  if (s == nullptr) return errc::no_memory;
  std::byte* const at = s->memory.data() + std::size_t{s->free.back()} * s->block;
  auto* const fresh = new block_in_slab(shared_from_this(), *s, at);
  if (s->idle()) idle_ -= s->memory.size();
  s->free.pop_back();
  return bulk_buffer(bulk(*fresh, size));
}

/// One that fits, a new one else. A large block may be up to a quarter larger than what is wanted.
bulk_pool::slab* bulk_pool::with_free_block(std::size_t block) {
  const bool shared = block <= largest_shared_block;
  slab* best = nullptr;
  for (const auto& s : slabs_) {
    if (s->free.empty() || s->block < block) continue;
    if (shared ? s->block != block : s->block > block + block / 4) continue;
    if (best == nullptr || s->block < best->block) best = s.get();
  }
  return best != nullptr ? best : add_slab(block);
}

bulk_pool::slab* bulk_pool::add_slab(std::size_t block) {
  const std::size_t bytes = std::max(block, shared_slab);
  if (next_number_ == 0 || !make_room(bytes)) return nullptr;
  if (slabs_.size() >= most_slabs && !let_oldest_go()) return nullptr;
  auto segment = world_.create_segment(bytes);
  if (!segment) return nullptr;
  auto s = std::make_unique<slab>();
  s->name = {next_number_++, bytes};
  s->file = std::move(segment->first);
  s->memory = std::move(segment->second);
  s->block = block;
  for (std::size_t i = s->blocks(); i != 0; --i) s->free.push_back(static_cast<std::uint32_t>(i - 1));
  slabs_.push_back(std::move(s));
  held_ += bytes;
  idle_ += bytes;
  return slabs_.back().get();
}

/// So that the limit has so many bytes left, slabs without a block in use go.
bool bulk_pool::make_room(std::uint64_t bytes) noexcept {
  if (bytes > limit_ - held_ + idle_) return false;
  while (bytes > limit_ - held_) let_oldest_go();
  return true;
}

/// Of the idle ones: a peer may be about to map the newest.
bool bulk_pool::let_oldest_go() noexcept {
  const auto idle = std::ranges::find_if(slabs_, [](const auto& s) { return s->idle(); });
  if (idle == slabs_.end()) return false;
  let_go(**idle);
  return true;
}

void bulk_pool::give_back(const block_in_slab& b) noexcept {
  const std::lock_guard lock(guard_);
  slab& of = b.in();
  if (b.spoilt) {
    ++of.spoilt;
  } else {
    of.free.push_back(b.index());
  }
  if (!of.idle()) return;
  idle_ += of.memory.size();
  if (of.spoilt != 0) let_go(of);
  while (idle_ > limit_ / 8) let_oldest_go();
}

void bulk_pool::let_go(const slab& s) noexcept {
  held_ -= s.memory.size();
  idle_ -= s.memory.size();
  for (slab_watcher* const w : watchers_) w->slab_gone(s.name.number);
  std::erase_if(slabs_, [&](const auto& one) { return one.get() == &s; });
}

pool_room bulk_pool::take_room(std::uint64_t bytes) {
  const std::lock_guard lock(guard_);
  if (bytes > limit_ / 2 - in_rooms_ || !make_room(bytes)) return {};
  held_ += bytes;
  in_rooms_ += bytes;
  return {shared_from_this(), bytes};
}

void bulk_pool::give_room_back(std::uint64_t bytes) noexcept {
  const std::lock_guard lock(guard_);
  held_ -= bytes;
  in_rooms_ -= bytes;
}

pool_room::~pool_room() {
  if (of_) of_->give_room_back(bytes_);
}

bulk_place bulk_pool::place_of(const bulk_block& of) const noexcept {
  TROUPE_ASSERT(of.pool() == this, "a block of this pool");
  const slab& s = static_cast<const block_in_slab&>(of).in();
  return {s.name, static_cast<std::uint64_t>(of.data - s.memory.data()), s.file.get()};
}

void bulk_pool::spoil(bulk_block& of) noexcept {
  TROUPE_ASSERT(of.pool() == this, "a block of this pool");
  const std::lock_guard lock(guard_);
  static_cast<block_in_slab&>(of).spoilt = true;
}

bulk bulk_pool::own(const bulk& b) {
  bulk_block& block = *b.block();
  if (block.pool() == this) return b;
  bulk_block* twin = block.twin();
  if (twin == nullptr) {
    result<bulk_buffer> copy = loan(block.size);
    if (!copy) return {};
    std::memcpy(copy->bytes().data(), block.data, block.size);
    bulk_block& made = *copy->whole_.block();
    made.add_handle();
    twin = block.keep_twin(made);
  }
  if (twin->pool() != this) return {};  // another node of this process has passed it on, and it goes as bytes
  twin->add_handle();
  return bulk(*twin, b.size());
}

void bulk_pool::add(slab_watcher& w) {
  const std::lock_guard lock(guard_);
  watchers_.push_back(&w);
}
void bulk_pool::remove(slab_watcher& w) noexcept {
  const std::lock_guard lock(guard_);
  std::erase(watchers_, &w);
}

std::uint64_t bulk_pool::held() const {
  const std::lock_guard lock(guard_);
  return held_;
}

}  // namespace troupe::detail
