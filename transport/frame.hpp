// The frame: the unit inside a segment. An 8-byte word, then the extensions that its flags announce, then the
// body.
//
//   word       length 24 bits (the whole frame) | kind 4 | flags 4 | route 32
//   extensions correlation u64 (flag 1), remaining time in nanoseconds u64 (flag 2), bytes in all u64 (flag 4),
//              bytes that it lends u64 (flag 8: a list of that follows the encoding, loans.hpp), in this order. Bytes in
//              all with the top bit: the encoding, of so many bytes, lies in the last of what it lends, and the body is the list
//
// | kind        | route               | body                                                     |
// | 1 message   | the route           | the encoded message; with flag 4 its first chunk         |
// | 2 reply     | errc of the answer  | the same of an answer; the correlation is the asker's    |
// | 3 route     | the route's number  | target u64, destination u32, schema u32, schema text     |
// | 4 credit    | the sending stream  | pairs of destination u32, bytes u32                      |
// | 5 control   | kind 8 | code 8     | subject u64, object u64, text                            |
// | 6 goodbye   | 0                   | nothing: the last frame of its stream                    |
// | 7 chunk     | 0                   | what comes next of the message or answer under way       |
// | 8 loans     | 0, 1, 2             | loans that go back, u64 each; or slabs not mapped, or mapped, u32 |
// | 9 reads     | which move          | nothing: the peer's rings are read from now on           |
// | 10 moved    | which move          | nothing: nothing more goes over the socket               |
// | 12 probe    | 0                   | nothing: it is there to be acknowledged                  |
// | 13–15       | any                 | for later versions: skipped, as a probe is               |
//
// Every other kind and flag ends the link. What is over 64 KiB lies in memory that is lent: then its frame is the last of its
// segment. Or it goes in chunks: of a stream one such message or answer at a time, with other frames between its chunks. Stateless; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "bytes.hpp"
#include "session.hpp"

namespace troupe::detail {

enum class frame_kind : std::uint8_t {
  message = 1,
  reply = 2,
  route = 3,
  credit = 4,
  control = 5,
  goodbye = 6,
  chunk = 7,
  loans = 8,
  reads = 9,  // these two since minor version 1 (link_session.hpp)
  moved = 10,
  probe = 12,  // the first of those that are skipped
};

inline constexpr std::uint8_t flag_correlation = 1;
inline constexpr std::uint8_t flag_deadline = 2;
inline constexpr std::uint8_t flag_chunked = 4;
inline constexpr std::uint8_t flag_lends = 8;
inline constexpr std::uint64_t total_apart = std::uint64_t{1} << 63;

inline constexpr std::size_t frame_word_bytes = 8;
inline constexpr std::size_t max_frame_header = frame_word_bytes + 8 + 8 + 8 + 8;
inline constexpr std::size_t max_frame = max_frame_header + max_chunk;
inline constexpr std::size_t max_schema_text = 16 * 1024;
inline constexpr std::size_t max_control_text = 256;
inline constexpr std::size_t route_fixed_bytes = 8 + 4 + 4;
inline constexpr std::size_t control_fixed_bytes = 8 + 8;
inline constexpr std::size_t credit_entry_bytes = 4 + 4;

struct frame_header {
  frame_kind kind = frame_kind::message;
  std::uint32_t route = 0;
  std::uint64_t correlation = 0;   // 0: none
  std::uint64_t remaining_ns = 0;  // 0: no deadline
  std::uint64_t total = 0;         // 0: the body is all of it
  std::uint64_t lent = 0;          // 0: it lends nothing
  bool apart = false;              // the encoding is the last of what it lends

  /// It has none of the fields that are not in its first eight bytes.
  bool is_plain() const noexcept { return (correlation | remaining_ns | total | lent) == 0; }
  /// It goes in chunks.
  bool begins() const noexcept { return total != 0 && !apart; }

  std::size_t bytes() const noexcept {
    return frame_word_bytes + (correlation != 0 ? 8u : 0u) + (remaining_ns != 0 ? 8u : 0u) +
           (total != 0 || apart ? 8u : 0u) + (lent != 0 ? 8u : 0u);
  }
};

/// Writes the header of a frame with `body` more bytes; there is room for header.bytes().
inline void write_frame_header(std::byte* to, const frame_header& header, std::size_t body) noexcept {
  const auto length = static_cast<std::uint32_t>(header.bytes() + body);
  const std::uint64_t total = header.total | (header.apart ? total_apart : 0);
  const std::uint32_t flags = (header.correlation != 0 ? flag_correlation : 0u) |
                              (header.remaining_ns != 0 ? flag_deadline : 0u) |
                              (total != 0 ? flag_chunked : 0u) | (header.lent != 0 ? flag_lends : 0u);
  store<std::uint32_t>(to, length | static_cast<std::uint32_t>(header.kind) << 24 | flags << 28);
  store<std::uint32_t>(to + 4, header.route);
  if (flags == 0) return;
  std::byte* at = to + frame_word_bytes;
  for (const std::uint64_t extension : {header.correlation, header.remaining_ns, total, header.lent}) {
    if (extension == 0) continue;
    store<std::uint64_t>(at, extension);
    at += 8;
  }
}

struct frame_view {
  frame_header header;
  byte_view body;
  bool ignorable = false;  // skip it
};

inline bool take_extensions(byte_view& body, std::uint8_t flags, frame_header& into) noexcept {
  for (const auto& [flag, field] :
       {std::pair{flag_correlation, &into.correlation}, std::pair{flag_deadline, &into.remaining_ns},
        std::pair{flag_chunked, &into.total}, std::pair{flag_lends, &into.lent}}) {
    if ((flags & flag) == 0) continue;
    if (body.size() < 8) return false;
    *field = load<std::uint64_t>(body.data());
    if (*field == 0) return false;
    body = body.subspan(8);
  }
  into.apart = (into.total & total_apart) != 0;
  into.total &= ~total_apart;
  return !into.apart || (into.total != 0 && into.lent >= into.total);
}

/// Takes the first frame off `rest`; false if its bytes break the format. Reads each header byte once.
inline bool next_frame(byte_view& rest, frame_view& view) noexcept {
  if (rest.size() < frame_word_bytes) return false;
  const auto word = load<std::uint64_t>(rest.data());
  const std::size_t length = word & 0xFF'FFFF;
  const auto kind = static_cast<std::uint8_t>(word >> 24 & 0xF);
  const auto flags = static_cast<std::uint8_t>(word >> 28 & 0xF);
  if (length < frame_word_bytes || length > rest.size()) return false;
  byte_view body = rest.subspan(frame_word_bytes, length - frame_word_bytes);
  rest = rest.subspan(length);

  view.header = {.kind = static_cast<frame_kind>(kind), .route = static_cast<std::uint32_t>(word >> 32)};
  view.ignorable = kind >= static_cast<std::uint8_t>(frame_kind::probe);
  view.body = {};
  if (view.ignorable) return true;
  if (kind == 0 || kind > static_cast<std::uint8_t>(frame_kind::moved)) return false;
  if (flags != 0 && !take_extensions(body, flags, view.header)) return false;
  view.body = body;
  return true;
}

}  // namespace troupe::detail
