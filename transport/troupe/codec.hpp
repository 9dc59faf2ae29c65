// The typed encoding of messages: writer and reader (bounded byte streams), codec<T> (how a type is encoded)
// and encode_message / decode_message.
//
// The encoding is little-endian, without padding or tags: the fields of an aggregate one after the other, a
// u32 count before the elements of a vector or string, a byte before an optional (0/1) or variant (index).
// Input is hostile: every byte is read exactly once (it may be shared memory that changes under us), every
// count is checked against the bytes that remain before memory is allocated for it, and nesting is limited.
// Thread-safety: none; a writer or reader belongs to one call.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <troupe/detail/fields.hpp>
#include <troupe/detail/schema_writer.hpp>
#include <type_traits>
#include <utility>

namespace troupe {

class bulk;
namespace detail {
class attachments_out;
}

static_assert(std::endian::native == std::endian::little,
              "the wire format is that of little-endian machines");

/// Records inside records deeper than this are refused, when encoding and when decoding.
inline constexpr std::uint32_t max_nesting = 64;

/// Bounded output. After a failure nothing more is written and size() stays where it was.
class writer {
 public:
  explicit writer(std::span<std::byte> out, void* context = nullptr,
                  detail::attachments_out* attachments = nullptr) noexcept
      : data_(out.data()), capacity_(out.size()), context_(context), attachments_(attachments) {}
  /// Writes nothing: counts what would be written, and never fails.
  static writer scale(void* context = nullptr, detail::attachments_out* attachments = nullptr) noexcept {
    return writer(context, attachments);
  }
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  void write(const void* data, std::size_t size) noexcept {
    if (size > capacity_ - size_) return fail();
    if (size != 0 && data_ != nullptr) std::memcpy(data_ + size_, data, size);
    size_ += size;
  }

  /// The value does not fit, or cannot be encoded on this link.
  void fail() noexcept {
    if (capacity_ == SIZE_MAX) return;  // a scale
    ok_ = false;
    capacity_ = size_;
  }

  bool ok() const noexcept { return ok_; }
  std::size_t size() const noexcept { return size_; }
  /// What the caller attached for codecs that depend on the link, e.g. those of actor refs.
  void* context() const noexcept { return context_; }
  /// Where the message can lend what it would else contain (bulk.hpp); null: it cannot.
  detail::attachments_out* attachments() const noexcept { return attachments_; }

 private:
  template <class Stream>
  friend class nesting;

  explicit writer(void* context, detail::attachments_out* attachments) noexcept
      : data_(nullptr), capacity_(SIZE_MAX), context_(context), attachments_(attachments) {}

  std::byte* data_;
  std::size_t size_ = 0;
  std::size_t capacity_;
  void* context_;
  detail::attachments_out* attachments_;
  std::uint32_t depth_ = 0;
  bool ok_ = true;
};

/// Bounded input. After a failure nothing remains and every read fails.
class reader {
 public:
  explicit reader(std::span<const std::byte> in, void* context = nullptr,
                  std::span<const bulk> attachments = {}) noexcept
      : data_(in.data()), size_(in.size()), context_(context), attachments_(attachments) {}
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  /// Copies the next `size` bytes; when fewer remain, fails and leaves `data` as it was.
  bool read(void* data, std::size_t size) noexcept {
    if (size > remaining()) {
      fail();
      return false;
    }
    if (size != 0) std::memcpy(data, data_ + at_, size);
    at_ += size;
    return ok_;
  }

  /// The next `size` bytes where they lie, to be copied at once and once; when fewer remain, fails and answers with none.
  std::span<const std::byte> next(std::size_t size) noexcept {
    if (size > remaining()) {
      fail();
      return {};
    }
    at_ += size;
    return {data_ + at_ - size, size};
  }

  /// The input is not a valid encoding.
  void fail() noexcept {
    ok_ = false;
    at_ = size_;
  }

  bool ok() const noexcept { return ok_; }
  std::size_t remaining() const noexcept { return size_ - at_; }
  void* context() const noexcept { return context_; }
  /// What the message lends (bulk.hpp).
  std::span<const bulk> attachments() const noexcept { return attachments_; }

 private:
  template <class Stream>
  friend class nesting;

  const std::byte* data_;
  std::size_t at_ = 0;
  std::size_t size_;
  void* context_;
  std::span<const bulk> attachments_;
  std::uint32_t depth_ = 0;
  bool ok_ = true;
};

/// One level of nesting while it lives; fails the stream at the limit. A codec of a class that can contain
/// itself starts with `if (nesting level(stream); level) ...`.
template <class Stream>
class nesting {
 public:
  explicit nesting(Stream& stream) noexcept : stream_(stream), allowed_(++stream.depth_ <= max_nesting) {
    if (!allowed_) stream_.fail();
  }
  ~nesting() { --stream_.depth_; }
  nesting(const nesting&) = delete;
  nesting& operator=(const nesting&) = delete;
  explicit operator bool() const noexcept { return allowed_; }

 private:
  Stream& stream_;
  bool allowed_;
};

/// How T is encoded: the customization point. A specialization has
///   static void encode(writer&, const T&);             // w.fail() when it cannot
///   static void decode(reader&, T&);                   // into a default-constructed T; r.fail() when
///   invalid static constexpr void schema(schema_writer&);      // e.g. { out.text("app::money"); } static
///   constexpr std::size_t min_size = 8;         // fewest bytes that encode writes
/// and, if they apply,
///   static constexpr bool flat = true;                 // the object's bytes are its encoding, and any are
///   valid static constexpr std::size_t element_size = 8;     // of a counted sequence: fewest bytes of an
///   element using parts = codec_parts<A, B>;             // what it contains must be encodable as well
template <class T>
struct codec;

namespace detail {

template <class T>
concept has_codec =
    std::is_default_constructible_v<T> && std::is_move_constructible_v<T> && std::is_move_assignable_v<T> &&
    requires(writer& w, reader& r, const T& in, T& out, schema_writer& text) {
      codec<T>::encode(w, in);
      codec<T>::decode(r, out);
      codec<T>::schema(text);
      codec<T>::min_size;
    };

template <class T>
consteval std::size_t min_size() {
  if constexpr (requires { codec<T>::min_size; }) return codec<T>::min_size;
  return 0;
}

/// No input could ever be too short for a count of them.
template <class T>
concept has_empty_elements = requires { requires codec<T>::element_size == 0; };

template <class T, class... Open>
consteval bool can_encode();

template <class... Open, class... Part>
consteval bool can_encode_all(codec_parts<Part...>) {
  return (can_encode<Part, Open...>() && ...);
}

/// Open: the types around T. Meeting one of them again is recursion, not a reason to refuse.
template <class T, class... Open>
consteval bool can_encode() {
  if constexpr ((std::is_same_v<T, Open> || ...)) {
    return true;
  } else if constexpr (!has_codec<T> || has_empty_elements<T>) {
    return false;
  } else if constexpr (requires { typename codec<T>::parts; }) {
    return can_encode_all<T, Open...>(typename codec<T>::parts{});
  } else {
    return true;
  }
}

template <class T>
consteval bool is_flat() {
  if constexpr (requires { codec<T>::flat; }) return codec<T>::flat && std::is_trivially_copyable_v<T>;
  return false;
}

}  // namespace detail

/// T has a codec, and so has everything in it. False for pointers, references, views, functions and sequences
/// of elements that take no bytes.
template <class T>
concept encodable = detail::can_encode<T>();

/// Encodes a message; w.ok() tells whether it did. After a failure the output is useless.
template <encodable Message>
void encode_message(writer& w, const Message& message) {
  codec<Message>::encode(w, message);
}

/// Decodes a message into a default-constructed one; r.ok() tells whether it did. A record that ends at a
/// field boundary leaves the other fields at their defaults: its sender knows fewer. Bytes after the last
/// field are an error, unless the sender is known to have more fields (schema_is_longer in schema.hpp).
template <encodable Message>
void decode_message(reader& r, Message& message, bool sender_is_longer = false) {
  if constexpr (requires { codec<Message>::decode_prefix(r, message); }) {
    codec<Message>::decode_prefix(r, message);
  } else {
    codec<Message>::decode(r, message);
  }
  if (!sender_is_longer && r.remaining() != 0) r.fail();
}

}  // namespace troupe

#include <troupe/detail/codec_record.hpp>
#include <troupe/detail/codec_std.hpp>
