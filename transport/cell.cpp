#include <troupe/cell.hpp>

namespace troupe::detail {

static constexpr std::uint8_t no_cell = 255;
static_assert(cell_words::word::is_always_lock_free, "words in shared memory must be plain loads and stores");

bool holds_cell(const bulk& memory, std::size_t bytes) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(memory.trusted_bytes().data());
  return memory.size() >= bytes && at % alignof(cell_words::word) == 0;
}

void encode_cell(writer& w, const bulk& memory) {
  std::uint8_t tag = no_cell;
  if (!memory.empty()) {
    const int number =
        w.attachments() != nullptr ? w.attachments()->attach(memory, attachments_out::as::itself) : -1;
    if (number < 0) return w.fail();
    tag = static_cast<std::uint8_t>(number);
  }
  w.write(&tag, 1);
}

void decode_cell(reader& r, bulk& memory, std::size_t bytes) {
  std::uint8_t tag = no_cell;
  r.read(&tag, 1);
  if (!r.ok() || tag == no_cell) return;
  if (tag >= r.attachments().size() || !holds_cell(r.attachments()[tag], bytes)) return r.fail();
  memory = r.attachments()[tag];
}

}  // namespace troupe::detail
