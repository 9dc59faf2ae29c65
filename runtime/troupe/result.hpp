// Operating errors as values: troupe::result<T>, troupe::error, troupe::errc.
//
// Everything that can go wrong because of load, peers or the network comes back as a result. Programmer
// errors are assertions (troupe/assert.hpp), which stay on in every build.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace troupe {

enum class errc : std::uint8_t {
  ok = 0,
  full,           // mailbox, credit or send buffer has no room
  no_such_actor,  // the target is dead, or never was
  stopped,        // this actor (or the target's mailbox) is closed: stop was asked for
  expired,        // the deadline passed; for an ask, see ask_stage
  mailbox_full,  // the deadline passed while the message still waited for room, or the mailbox rejects when it is full
  shed,            // the mailbox was full, and drops messages then
  no_reply,        // the target died, or gave the request up, without answering
  handler_failed,  // the target's handler threw
  unreachable,     // no link to that node
  link_down,       // the link broke while the request was out
  too_large,       // the encoded message is over what its target's node takes (16 MiB, if not set otherwise)
  not_encodable,   // the message type is local-only
  not_found,       // no such name, kind, node or file
  bad_name,        // a name is empty, over 255 bytes, or has an @
  ambiguous,       // more than one node publishes that name
  wrong_protocol,  // the actor does not accept these messages, or their schemas differ
  name_taken,      // this node already publishes or offers that name
  not_offered,     // that node offers no such kind
  limit_reached,   // a configured limit refuses it
  bad_message,     // the peer sent bytes that do not decode
  closed,          // end of stream, or the stream was closed
  no_memory,       // there is none for the message, or for what a wait needs; nothing else has changed
  io_failed,       // the kernel refused an I/O operation; see error::detail (errno)
};

/// A short lower-case phrase, e.g. "mailbox full".
std::string_view to_string(errc code) noexcept;

/// error::detail of an ask's errc::expired: where the request was. A positive number: queued, as the n-th when it came to
/// the mailbox; 0: unknown.
enum ask_stage : std::int32_t {
  stage_running = -1,  // its handler had begun
  stage_sent = -2,     // on a link to another node, or there
};

/// What went wrong. `detail` refines the code where its comment says so (errno for io_failed), else 0.
struct error {
  errc code = errc::ok;
  std::int32_t detail = 0;

  constexpr error() noexcept = default;  // ok: what result<T>::error() gives when there is a value
  constexpr error(errc c, std::int32_t d = 0) noexcept : code(c), detail(d) {}
  friend constexpr bool operator==(error a, errc b) noexcept { return a.code == b; }
  friend constexpr bool operator==(error a, error b) noexcept { return a.code == b.code; }
  std::string text() const;
};

/// Why a node, link or program could not be set up: one line that names the value, the place and the fix.
struct setup_error {
  setup_error() = default;
  explicit setup_error(std::string line) : text(std::move(line)) {}
  std::string text;
};

/// A value or an error. `if (r)`, `*r`, `r.error()`; `r.value()` throws bad_result when there is none.
template <class T, class E = error>
using result = boost::system::result<T, E>;

class bad_result : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location& where);
[[noreturn]] void throw_exception_from_error(const setup_error& e, const boost::source_location& where);

}  // namespace troupe
