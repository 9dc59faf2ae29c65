// What two nodes tell each other before a session: the bytes of the greetings, and their checks. Pure.
//
//   dialer                  acceptor
//   hello            ->
//                    <-     welcome (its own hello), or refused
//   confirm          ->     or refused
//   memory           <->    only over a local socket, if both want shared memory: the segment and the
//   doorbell mapped           <->      travel beside it; then both say whether they could map the other's
//
// A session whose connection broke goes on over another, which the same node dials; each says what has arrived there:
//
//   resume           ->
//                    <-     resumed, or refused: the session is gone
//   confirm          ->
//
// A session over a socket moves to shared memory over a local socket, which the same node dials:
//
//   move             ->
//   memory           <->    or refused; and so on as above
//
// A greeting is an 8-byte header (magic u32, kind u8, wire major u8, length of the whole u16) and at most 4
// KiB in all, so a stranger is found out by its first eight bytes. The header and `refused` stay as they are
// in every later version; a hello may grow at its end. Sessions speak the smaller of the two minor versions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bytes.hpp"
#include "session.hpp"

namespace troupe::detail {

inline constexpr std::uint32_t greeting_magic = 0x50525454;  // "TTRP"
inline constexpr std::uint8_t wire_major = 2;
inline constexpr std::uint8_t wire_minor = 1;
inline constexpr std::uint8_t minor_with_moves = 1;  // sessions can move to shared memory
inline constexpr std::size_t greeting_header_bytes = 8;
inline constexpr std::size_t max_greeting = 4096;
inline constexpr std::size_t max_greeting_text = 512;

enum class greeting_kind : std::uint8_t {
  hello = 1,
  welcome = 2,
  confirm = 3,
  refused = 4,
  memory = 5,
  mapped = 6,
  resume = 7,
  resumed = 8,
  move = 9,
};

struct greeting_header {
  greeting_kind kind = greeting_kind::hello;
  std::uint8_t major = wire_major;
  std::uint16_t length = 0;
};

struct hello {
  node_identity node;
  std::uint8_t minor = wire_minor;
  std::uint8_t workers = 1;
  std::uint32_t window = 0;
  std::uint32_t max_destinations = 0;
  std::uint32_t max_routes = 0;
  std::uint32_t max_message = max_chunk;
  bool wants_shm = false;
  std::uint64_t session = 0;  // the dialer's name for it, drawn by chance; 0: it ends with its connection
  std::uint16_t port = 0;     // where others can dial the node over TCP; 0: nowhere
  std::string host;           // there, a numeric address; empty: where its connections come from
};

inline constexpr std::size_t max_address_text = 45;  // of IPv6

/// What has arrived of each of the other's streams: the number of the last frame.
using arrived_frames = std::vector<std::uint64_t>;

struct resumption {
  incarnation from;
  incarnation to;
  std::uint64_t session = 0;
  std::uint32_t attempt = 0;  // counted by the dialer: of two, the later one counts
  arrived_frames arrived;     // empty in a move
};

enum class refusal_code : std::uint8_t {
  other = 0,
  version = 1,
  self = 2,            // the node dialled itself
  already_linked = 3,  // `who` has a session with the dialer, or is making one
  not_admitted = 4,    // the layer above said no
  gone = 5,            // the session that was to go on; the text is the name of the node that says so
};

struct refusal {
  refusal_code code = refusal_code::other;
  incarnation who;
  std::string text;
};

struct memory_offer {
  bool ok = false;
  std::uint32_t ring_bytes = 0;
  std::string text;  // why not
};

/// 1–64 characters of [A-Za-z0-9._-].
bool valid_node_name(std::string_view name) noexcept;

/// A whole greeting, ready to be sent.
std::vector<std::byte> greet(greeting_kind kind, byte_view body = {});
std::vector<std::byte> greet(greeting_kind kind, const hello& h);
std::vector<std::byte> greet(const refusal& r);
std::vector<std::byte> greet(greeting_kind kind, const memory_offer& m);
std::vector<std::byte> greet(const resumption& r, greeting_kind kind = greeting_kind::resume);  // or move
std::vector<std::byte> greet(const arrived_frames& arrived);                                    // resumed

/// Empty text: a stranger's bytes, or a length that is not allowed.
std::optional<greeting_header> parse_header(byte_view eight) noexcept;
/// The body of a hello or welcome; the error says what is wrong with it.
result<hello, std::string> parse_hello(byte_view body);
std::optional<refusal> parse_refusal(byte_view body);
std::optional<memory_offer> parse_memory_offer(byte_view body);
std::optional<resumption> parse_resumption(byte_view body);
std::optional<arrived_frames> parse_arrived(byte_view body);

}  // namespace troupe::detail
