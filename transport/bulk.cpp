#include <algorithm>
#include <cstring>
#include <memory>

#include <troupe/assert.hpp>
#include <troupe/bulk.hpp>

namespace troupe {
namespace {

constexpr std::uint8_t inline_bytes = 255;
static_assert(detail::attachments_out::most < inline_bytes);

/// The bytes of a bulk that came over a socket.
class private_block final : public detail::bulk_block {
 public:
  explicit private_block(std::unique_ptr<std::byte[]> bytes, std::size_t count) noexcept
      : bulk_block(bytes.get(), count), bytes_(std::move(bytes)) {}

 private:
  std::unique_ptr<std::byte[]> bytes_;
};

}  // namespace

std::size_t bulk::read(std::size_t offset, std::span<std::byte> into) const noexcept {
  if (offset >= size_) return 0;
  const std::size_t bytes = std::min(size_ - offset, into.size());
  std::memcpy(into.data(), block_->data + offset, bytes);
  return bytes;
}

bulk bulk_buffer::seal(std::size_t size) && noexcept {
  TROUPE_ASSERT(size <= whole_.size(), "seal at most the bytes that the buffer has");
  const bulk all = std::move(whole_);
  if (size == 0) return {};
  all.block()->add_handle();
  return bulk(*all.block(), size);
}

void codec<bulk>::encode(writer& w, const bulk& value) {
  const int number =
      w.attachments() != nullptr ? w.attachments()->attach(value, detail::attachments_out::as::bytes) : -1;
  const auto tag = number >= 0 ? static_cast<std::uint8_t>(number) : inline_bytes;
  w.write(&tag, 1);
  if (tag != inline_bytes) return;
  detail::write_count(w, value.size());
  w.write(value.trusted_bytes().data(), value.size());
}

void codec<bulk>::decode(reader& r, bulk& value) {
  std::uint8_t tag = 0;
  r.read(&tag, 1);
  if (!r.ok()) return;
  if (tag != inline_bytes) {
    if (tag >= r.attachments().size()) return r.fail();
    value = r.attachments()[tag];
    return;
  }
  const std::size_t size = detail::read_count(r, 1);
  if (!r.ok() || size == 0) return;
  auto bytes = std::make_unique_for_overwrite<std::byte[]>(size);
  r.read(bytes.get(), size);
  value = bulk(*new private_block(std::move(bytes), size), size);
}

}  // namespace troupe
