// troupe::bulk: many bytes that are written once and read in place by any number of actors, in this process and in others of
// the host, without a copy.
//
//   auto frame = self.loan(8 << 20);                      // result<bulk_buffer>: memory that other processes can map
//   render(frame->bytes());
//   const troupe::bulk picture = std::move(*frame).seal();  // from now on nobody here writes it
//   co_await display.send<show>(picture);                 // a field of a message, like any other
//
// A bulk is a counted handle: copies mean the same bytes. To an actor of another process of this host goes a reference, and
// that process maps the memory once; to any other node the bytes go themselves, as a part of the message
// (node_options::max_message of its receiver bounds it then), and so they do to a process that could not map the memory, after a
// first message that ends there as a dead letter (no_memory). The memory is used again when the last handle is gone in every
// process, or the process that had it has ended. What came from another process is copied once when it is passed on.
//
// In place means: what is read is the writer's memory. The handle keeps it from being used again, but a writer that is hostile
// can change it at any time. So who does not trust the writer takes a copy with read(), and checks that. And a peer that is lent
// a bulk of up to 2 MiB, or sent a message of 64 KiB to 2 MiB, can read what else lies in the same 4 MiB: nodes that share memory
// belong to one user.
//
// Thread-safety: handles may be copied, moved and dropped on any thread; one handle is not for two threads at a time.
//
// Protocol of the count: a copy adds relaxed, for who copies has a handle. A drop subtracts with acq_rel: whoever takes the
// count to zero has seen what the others did with the bytes, and gives the block back. A twin is stored with release, so that
// its bytes are there for who loads it with acquire.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <troupe/codec.hpp>
#include <troupe/result.hpp>
#include <utility>

namespace troupe {

namespace detail {

class bulk_pool;

/// Where the bytes of a bulk lie.
class bulk_block {
 public:
  bulk_block(std::byte* at, std::size_t bytes) noexcept : data(at), size(bytes) {}
  bulk_block(const bulk_block&) = delete;
  bulk_block& operator=(const bulk_block&) = delete;
  virtual ~bulk_block() {
    if (bulk_block* const twin = twin_.load(std::memory_order_acquire)) twin->drop_handle();
  }

  void add_handle() noexcept { handles_.fetch_add(1, std::memory_order_relaxed); }
  void drop_handle() noexcept {
    if (handles_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  /// The pool that it is of, so that its memory can be lent to other processes; null: none.
  virtual const bulk_pool* pool() const noexcept { return nullptr; }

  /// A copy of its bytes in the pool of a node that passes them on, kept as long as this; null: nobody did.
  bulk_block* twin() const noexcept { return twin_.load(std::memory_order_acquire); }
  /// Takes over the one handle of `copy`. The twin, which may be another one, that came first.
  bulk_block* keep_twin(bulk_block& copy) noexcept {
    bulk_block* first = nullptr;
    if (twin_.compare_exchange_strong(first, &copy, std::memory_order_acq_rel)) return &copy;
    copy.drop_handle();
    return first;
  }

  std::byte* const data;
  const std::size_t size;

 private:
  std::atomic<std::uint32_t> handles_{1};
  std::atomic<bulk_block*> twin_{nullptr};  // set once
};

}  // namespace detail

class bulk {
 public:
  bulk() noexcept = default;  // no bytes
  bulk(const bulk& o) noexcept : block_(o.block_), size_(o.size_) {
    if (block_ != nullptr) block_->add_handle();
  }
  bulk(bulk&& o) noexcept : block_(std::exchange(o.block_, nullptr)), size_(std::exchange(o.size_, 0)) {}
  bulk& operator=(bulk o) noexcept {
    std::swap(block_, o.block_);
    std::swap(size_, o.size_);
    return *this;
  }
  ~bulk() {
    if (block_ != nullptr) block_->drop_handle();
  }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// The bytes where they lie, as long as this handle lives. For who trusts the node that wrote them: see above.
  std::span<const std::byte> trusted_bytes() const noexcept {
    return {size_ != 0 ? block_->data : nullptr, size_};
  }
  /// Copies what there is from `offset` on, at most as much as `into` takes; how many bytes.
  std::size_t read(std::size_t offset, std::span<std::byte> into) const noexcept;

  /// Takes over the one handle that a block is born with; `size` of its bytes count.
  explicit bulk(detail::bulk_block& fresh, std::size_t size) noexcept : block_(&fresh), size_(size) {}
  detail::bulk_block* block() const noexcept { return block_; }

 private:
  detail::bulk_block* block_ = nullptr;
  std::size_t size_ = 0;
};

/// Memory that self.loan or node.loan gave, to be written by one owner until it is sealed. Its bytes are those that the last
/// user left. Move-only; dropped without seal(), the memory is given back.
class bulk_buffer {
 public:
  bulk_buffer(bulk_buffer&&) noexcept = default;
  bulk_buffer& operator=(bulk_buffer&&) noexcept = default;

  std::span<std::byte> bytes() const noexcept {
    return {whole_.empty() ? nullptr : whole_.block()->data, whole_.size()};
  }
  bulk seal() && noexcept { return std::move(whole_); }
  /// Of its first `size` bytes, at most those that it has (asserted).
  bulk seal(std::size_t size) && noexcept;

 private:
  friend class detail::bulk_pool;
  explicit bulk_buffer(bulk whole) noexcept : whole_(std::move(whole)) {}

  bulk whole_;
};

namespace detail {

/// What a message lends beside its bytes (loans.hpp).
class attachments_out {
 public:
  static constexpr std::size_t most = 64;  // in one message
  /// Whether a copy of the bytes does as well, and so none if they are few.
  enum class as : std::uint8_t { bytes, itself };
  /// The number under which the message refers to it; negative: it does not go this way, its bytes may.
  virtual int attach(const bulk& b, as what) = 0;

 protected:
  ~attachments_out() = default;
};

}  // namespace detail

/// A number (u8): of what the message lends, or 255: then a count (u32) and the bytes.
template <>
struct codec<bulk> {
  static constexpr std::size_t min_size = 1;
  static void encode(writer& w, const bulk& value);
  static void decode(reader& r, bulk& value);
  static constexpr void schema(schema_writer& out) { out.text("bulk"); }
};

}  // namespace troupe
