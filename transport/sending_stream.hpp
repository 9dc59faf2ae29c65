// One worker's sending side of a session: encodes frames straight into the lane's room, within the credit
// that each destination has.
//
// Order. Everything goes out in the order of the calls. While the lane is full, messages are refused (their
// senders wait at their destination) and what may not be refused, replies and control notes, is encoded into
// a bounded side queue; as long as that holds anything, it goes first and messages are refused. Past its bound a reply is
// answered with no_memory, and notes end the session. Waiting
// senders are served one for each destination in turn, so a destination without credit holds up nobody else.
//
// What is over 64 KiB is encoded into memory that is lent, if the lane lends and there is some (lender.hpp), and its frame says
// where. Else into memory of its own; it is accepted then, and goes in chunks (chunk_queue.hpp) as the lane has room for messages. Between them goes whatever is not for the same destination; control notes that keep their order
// wait behind it.
//
// Life. up: everything works. closing (after finish): no new messages, the side queue goes out, then a
// goodbye. stopped: nothing is sent any more.
//
// | operation                         | who                                                         |
// | note_ack, note_credit, settled    | the session's home worker                                   |
// | poke, builder().sealed, goodbye   | any thread                                                  |
// | everything else                   | the stream's own worker                                     |
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "announcement.hpp"
#include "chunk_queue.hpp"
#include "destinations.hpp"
#include "return_board.hpp"
#include "segment_builder.hpp"

namespace troupe::detail {

inline constexpr std::uint32_t max_schemas = 256;  // remembered per stream
inline constexpr std::size_t side_queue_limit = std::size_t{64}
                                                << 20;  // bytes of notes and answers without a body

class sending_stream;

/// What the home worker's stream does for the whole session whenever it flushes.
class home_duties : public ack_source {
 public:
  virtual void write_credit(sending_stream& through) = 0;
  virtual void write_loan_notes(sending_stream& through) = 0;
  virtual bool ack_due() const noexcept = 0;
};

class sending_stream final : public out_stream, public std::enable_shared_from_this<sending_stream> {
 public:
  struct setup {
    session& of;
    session_host& host;
    lane_events& events;
    worker& on;
    lane& over;
    home_duties* duties;  // null but for the home worker's stream
    credit_limits limits;
    lender* lends;  // null: the lane does not
  };
  explicit sending_stream(const setup& s);

  session& owner() noexcept override { return session_; }
  bool up() const noexcept override { return life_ == life::up; }
  send_outcome try_send(const outgoing& what) override;
  bool has_room(std::uint64_t target) override;
  void wait(room_waiter& w) override;
  void reply(std::uint64_t correlation, errc status, const wire_type* type, const void* body,
             void* codec_context) override;
  void control(const control_note& note) override;
  std::uint64_t unacked() const noexcept override { return builder_.unacked() + chunks_.messages(); }

  worker& on() const noexcept { return on_; }
  std::uint64_t frames_out() const noexcept { return builder_.frames_out(); }

  /// False: the peer acknowledged what was never sent. An older acknowledgement changes nothing.
  bool note_ack(std::uint64_t sequence) noexcept;
  bool note_credit(std::uint32_t window, std::uint32_t bytes) noexcept {
    return board_.credited(window, bytes);
  }
  /// Makes the stream's worker take over acks and credit, and try again where the lane was full.
  void poke();
  void flush_soon() { on_.defer(flush_); }
  /// Of the peer. Home worker.
  std::uint64_t last_ack() const noexcept { return last_ack_; }
  /// The goodbye went out and the peer has it. Home worker.
  bool goodbye_acked() const noexcept;

  /// Writes one frame whose body is at hand; false: the lane is full, or goodbye was said.
  bool put(const frame_header& header, byte_view body);

  /// As put(); what finds no room goes later.
  void say(const frame_header& header) { put_or_keep(header, {}); }

  /// From now on nothing is published but acknowledgements.
  void pause() { builder_.pause(); }
  /// After pause(): over this lane; `lends`: null if it does not lend.
  void go_on(lane& over, lender* lends);
  /// All that was published is acknowledged. Home worker, after pause().
  bool settled() const noexcept { return last_ack_ == builder_.sealed(); }

  void finish();
  /// Closes it for good; how many messages are not acknowledged.
  std::uint64_t stop();

 private:
  enum class life : std::uint8_t { up, closing, said_goodbye, stopped };

  send_outcome send_to(destination& to, const outgoing& what);
  send_outcome send_flat(destination& to, const outgoing& what);
  send_outcome send_frame(destination& to, const outgoing& what);
  send_outcome send_large(destination& to, const outgoing& what, frame_header header);
  send_outcome send_chunked(destination& to, const outgoing& what, const frame_header& header,
                            std::size_t bytes, std::uint32_t cost);
  bool answer(frame_header header, const wire_type& type, const void* body, void* context);
  outgoing_loans* loans() noexcept { return loans_ ? &*loans_ : nullptr; }
  void settle_loans(bool sent) {
    if (loans_) loans_->settle(sent);
  }
  bool send_chunk();
  void send_chunks();
  const destination::route* learn_route(destination& to, const wire_type* type);
  const destination::route* name_route(destination& to, const wire_type* type);
  send_outcome encode(frame_header& header, const wire_type* type, const void* body, void* context, room from,
                      std::size_t& bytes);
  send_outcome encode_apart(frame_header& header, const wire_type& type, const void* body, void* context,
                            room from, std::size_t bytes);
  void put_or_keep(const frame_header& header, byte_view body);
  void keep_aside(const frame_header& header, byte_view body);
  std::size_t kept() const noexcept { return side_bytes_ + chunks_.bytes_of_answers(); }
  std::size_t most_of_answers() const noexcept {
    return side_queue_limit + 4 * std::size_t{limits_.max_message};
  }
  bool may_keep(std::size_t bytes);
  bool answer_error(const frame_header& header, errc why);
  bool answer_later(frame_header header, const wire_type& type, const void* body, void* context);
  void take_over();
  void flush();
  bool drain_side_queue();
  void say_goodbye();
  void serve_waiters();
  void refuse_waiters();

  session& session_;
  session_host& host_;
  lane_events& events_;
  worker& on_;
  home_duties* duties_;
  life life_ = life::up;
  bound_flush<sending_stream, &sending_stream::flush> flush_{*this};
  segment_builder builder_;
  credit_limits limits_;
  destination_table destinations_;
  chunk_queue chunks_;
  std::optional<outgoing_loans> loans_;
  bool somebody_waits_ = false;  // for the lane's room: nobody else takes it before
  return_board board_;
  std::uint64_t last_ack_ = 0;  // the home worker's
  std::atomic<std::uint64_t> goodbye_{0};
  announcement poked_;
  std::unordered_map<const wire_type*, std::uint32_t> schemas_;
  std::vector<const wire_type*> schema_numbers_;
  std::uint32_t next_schema_ = 0;
  std::deque<std::vector<std::byte>> side_queue_;
  std::size_t side_bytes_ = 0;
};

}  // namespace troupe::detail
