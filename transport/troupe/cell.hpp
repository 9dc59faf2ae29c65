// troupe::cell<T>: a value that one actor writes and many actors, of this process and of others on this host, read when they
// want to, without a message. The reader of a cell travels in messages.
//
//   auto level = me.make_cell(gauge{.litres = 0});               // result<cell<gauge>>
//   co_await display.send<watch>(level->reader());
//   level->set({.litres = 12});
//   ...
//   const auto now = w.level.get();                               // at the display: result<gauge>
//
// A value is whole: the newest that was set when it is read, or one that is newer. set() never waits, nor does get() for the
// writer: if that is killed, its last value stays. T is a plain struct of numbers, with a codec (its fields are a part of the
// wire type). What a reader reads is the writer's memory, and any bytes may be in it if the writer is hostile.
//
// Over a socket there is no common memory: a message with a reader fails there (not_encodable), and so it does when a process
// that got a reader passes it on to another one.
//
// Thread-safety: one thread at a time sets; readers are values like any other.
#pragma once

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include <troupe/bulk.hpp>
#include <troupe/detail/cell_words.hpp>

namespace troupe {

template <class T>
concept cell_value = std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T> && encodable<T>;

namespace detail {

template <class T>
inline constexpr std::size_t words_of = (sizeof(T) + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
template <class T>
inline constexpr std::size_t cell_bytes = cell_words::count(words_of<T>) * sizeof(cell_words::word);

template <class T>
cell_words words_in(const bulk& memory) noexcept {
  return {reinterpret_cast<cell_words::word*>(memory.block()->data), words_of<T>};
}

/// Whether these bytes can be those of a cell of that size.
bool holds_cell(const bulk& memory, std::size_t bytes) noexcept;
/// Of a reader: a number (u8) among what the message lends.
void encode_cell(writer& w, const bulk& memory);
void decode_cell(reader& r, bulk& memory, std::size_t bytes);

}  // namespace detail

/// Reads a cell. A default one reads nothing.
template <cell_value T>
class cell_reader {
 public:
  cell_reader() noexcept = default;
  explicit cell_reader(bulk memory) noexcept : memory_(std::move(memory)) {}

  /// The newest value. closed: this reads nothing; bad_message: the writer has written all over it while it was read, again
  /// and again, which no honest one can.
  result<T> get() const noexcept {
    if (memory_.empty()) return errc::closed;
    std::array<std::uint64_t, detail::words_of<T>> words;
    for (int tries = 0; !detail::words_in<T>(memory_).try_read(words.data()); ++tries) {
      if (tries == most_tries) return errc::bad_message;
    }
    T value;
    std::memcpy(static_cast<void*>(&value), words.data(), sizeof value);  // T need not be trivial
    return value;
  }
  /// How often it was set; changes with the value. 0: it reads nothing.
  std::uint64_t version() const noexcept {
    return memory_.empty() ? 0 : detail::words_in<T>(memory_).version();
  }

 private:
  friend struct codec<cell_reader<T>>;
  static constexpr int most_tries = 10'000;

  bulk memory_;
};

/// The writer's side. Move-only.
template <cell_value T>
class cell {
 public:
  /// In memory of detail::cell_bytes<T> or more.
  cell(bulk memory, const T& first) noexcept : memory_(std::move(memory)) {
    std::memset(memory_.block()->data, 0, detail::cell_bytes<T>);
    set(first);
  }
  cell(cell&&) noexcept = default;
  cell& operator=(cell&&) noexcept = default;

  void set(const T& value) noexcept {
    std::array<std::uint64_t, detail::words_of<T>> words{};
    std::memcpy(words.data(), &value, sizeof value);
    detail::words_in<T>(memory_).write(words.data());
  }
  cell_reader<T> reader() const noexcept { return cell_reader<T>(memory_); }

 private:
  bulk memory_;
};

namespace detail {
template <class T>
result<cell<T>> cell_in(result<bulk_buffer> memory, const T& first) {
  if (!memory) return memory.error();
  return cell<T>(std::move(*memory).seal(), first);
}
}  // namespace detail

template <cell_value T>
struct codec<cell_reader<T>> {
  using parts = codec_parts<T>;
  static constexpr std::size_t min_size = 1;
  static void encode(writer& w, const cell_reader<T>& value) { detail::encode_cell(w, value.memory_); }
  static void decode(reader& r, cell_reader<T>& value) {
    detail::decode_cell(r, value.memory_, detail::cell_bytes<T>);
  }
  static constexpr void schema(schema_writer& out) {
    out.text("cell(");
    out.type<T>();
    out.text(")");
  }
};

}  // namespace troupe
