// The receiving side of one of the peer's streams: checks its segments, learns its routes and schemas, keeps
// account of the credit it uses, and hands frames up. Home worker only.
//
// Nothing that the peer says is believed: every number is checked against the limits of this side before it
// indexes or allocates anything, and the first broken rule ends the session with a text that says which.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <troupe/bulk.hpp>

#include "credit.hpp"
#include "loans.hpp"
#include "segment.hpp"

namespace troupe::detail {

/// What a receiving stream does for the session as a whole.
class frame_sink {
 public:
  virtual ~frame_sink() = default;
  virtual session& as_session() noexcept = 0;
  virtual session_host& host() noexcept = 0;
  virtual bool live() const noexcept = 0;  // false: the session ended under way
  /// The peer gives back credit of our stream `stream`; false: no such stream or window, or too much.
  virtual bool credited(std::uint32_t stream, std::uint32_t window, std::uint32_t bytes) = 0;
  // These answer with what is wrong, or null.
  virtual const char* borrowed(const loan_entry& l, bulk& out) = 0;
  virtual const char* loan_returned(std::uint64_t number) = 0;
  virtual const char* slab_refused(std::uint32_t slab) = 0;
  virtual const char* slab_mapped(std::uint32_t slab) = 0;
  /// The peer reads the rings of that move; or has sent the last over the socket.
  virtual const char* lane_note(frame_kind what, std::uint32_t move) = 0;
};

class receiving_stream {
 public:
  /// `limits`: of this side, which the peer was told in the handshake.
  receiving_stream(std::uint8_t number, const credit_limits& limits, frame_sink& sink) noexcept
      : number_(number), limits_(limits), sink_(sink), session_(sink.as_session()), host_(sink.host()) {}

  enum class order : std::uint8_t { next, duplicate, broken };
  /// Where a segment stands in this stream; its checksum, if it has one, is right.
  order classify(const segment_header& header) const noexcept;
  /// Hands up the frames of the next segment. Null if all is well, else what is wrong.
  const char* take(const segment_header& header, byte_view frames, instant now);

  /// Bytes of the last segment that lay apart.
  std::size_t apart() const noexcept { return apart_; }
  /// All frames up to this one were taken.
  std::uint64_t received() const noexcept { return next_ - 1; }
  bool said_goodbye() const noexcept { return said_goodbye_; }

  /// Bytes that were consumed here and are owed to the sender; true if this made `window` owe something.
  bool owe(std::uint32_t window, std::uint32_t bytes);
  std::uint32_t owed(std::uint32_t window) const noexcept { return windows_[window].owed; }
  void repaid(std::uint32_t window) noexcept;

 private:
  struct window_state {
    std::uint64_t target = 0;
    std::uint32_t used = 0;  // received and not yet given back
    std::uint32_t owed = 0;  // of these, consumed here
  };
  struct route_state {
    route_binding binding;
    std::uint32_t window = 0;
  };

  /// What has begun and goes on in chunks.
  struct chunked {
    frame_header header;  // of its first
    route_state route;    // of a message
    instant deadline{};
    std::unique_ptr<std::byte[]> bytes;  // header.total; null: there was no memory for them
    std::size_t filled = 0;
    std::vector<std::byte> end{};  // without memory: what may be the list of what it lends
  };

  const char* take_frame(const frame_view& frame, instant now);
  const char* take_message(const frame_view& frame, instant now);
  const char* take_reply(const frame_view& frame);
  const char* begin_chunked(const frame_view& frame, const route_state& route, instant deadline);
  const char* take_chunk(byte_view body);
  const char* deliver(const route_state& route, const frame_header& header, instant deadline, byte_view bytes,
                      bool lost);
  const char* answer(const frame_header& header, byte_view bytes, bool lost);
  void count_used(window_state& window, std::uint32_t used) noexcept;
  const char* take_route(const frame_view& frame);
  const char* take_credit(const frame_view& frame);
  const char* take_control(const frame_view& frame);
  const char* take_loan_notes(const frame_view& frame);
  /// What a message or a reply has borrowed.
  struct loans {
    std::vector<bulk> bulks;
    bulk encoding;  // if it lies apart
  };
  const char* take_loans(const frame_header& header, byte_view& body, loans& out, bool& lost);

  std::uint8_t number_;
  credit_limits limits_;
  frame_sink& sink_;
  session& session_;
  session_host& host_;
  std::uint64_t next_ = 1;
  std::size_t apart_ = 0;
  bool said_goodbye_ = false;
  std::uint64_t overdrafts_ = 0;  // of all windows together
  std::optional<chunked> under_way_;
  std::vector<window_state> windows_;
  std::vector<route_state> routes_;
  std::vector<std::string> schemas_;
};

}  // namespace troupe::detail
