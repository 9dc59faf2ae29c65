// A session: the streams of every worker, what the peer's streams bring, acknowledgements, and an orderly end.
//
// Life, all on the home worker:
//   starting  stream_up on every worker, then link_up; nothing is read before
//   up        reads and writes
//   closing   close() was called, or every stream of the peer has said goodbye: the streams send what is
//   queued
//             and say goodbye; over when both sides' goodbyes are acknowledged, the peer hangs up, or takes nothing for a
//             second, or ten are over
//   ended     the lane stops and every stream is closed on its own worker; then link_down, then `gone`
//
// Connections. The session outlives a connection that breaks while it is up: it is suspended, streams go on to publish until the
// socket's lane is full, and it is dialled for again (hub_dialling.cpp, link_carry_on.cpp). For each attempt,
// which is numbered, both sides first let go of the connection they have (prepare), so that what has arrived does not
// change any more, tell each other, and then go on over the new one (resume): each sends again what the other lacks. What comes
// twice all the same is dropped by its number. A connection with which nothing goes on, eight times in a row, ends the session.
// Both sides may dial, if they know where: who dialled first counts odd attempts, the other even ones, and the later counts.
//
// Lanes. A session has a socket's lane, or shared memory, or both while it moves (session_move.cpp); the one that it has left may still be
// there, detached:
//   to memory    who dialled asks for it over a local socket (hub_dialling.cpp, link_move.cpp). Once both have mapped the rings, each reads them and
//                says so over the socket (reads); who hears that lets its streams pause until all that they sent is acknowledged,
//                then go on over the rings, where it says that they do (moved). So what comes over one lane is never ahead of
//                the other. Who has moved, and heard that the peer has, lets go of the socket.
//   to a socket  if the connection beside the memory ends and the peer lives, the session is suspended. What was published in a ring
//                stays in it: streams pause, and each side takes what the other's rings still hold when it goes on over the new
//                connection, before anything that comes over that.
// If anything breaks while it moves, the session is suspended, too, and goes on over a socket: what is in the rings is taken, and
// what the socket's lane keeps is sent again. But as long as the peer has not said that it reads, this side stays where it is if
// the memory breaks; and the end of the socket says to who has moved that the peer has, too.
//
// The lease. A peer that is stopped, or cut off without a word, keeps its connection. So a session looks five times in a lease
// whether anything has come, and if nothing has, says something that is to be acknowledged. Silent at two looks in a row it is
// stalled, at four it is over; the peer, once it wakes, finds the connection ended, and its memory is never looked at
// again. Looks are counted and not times compared: whoever was stopped itself, or whose clock jumps, has missed looks only.
// While it is suspended it is silent.
//
// The object lives until the last posted call that holds it has run.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "ack_book.hpp"
#include "borrower.hpp"
#include "handshake.hpp"
#include "receiving_stream.hpp"
#include "scheduler.hpp"
#include "sending_stream.hpp"
#include "shm_lane.hpp"
#include "socket_lane.hpp"

namespace troupe::detail {

class link_session final : public session,
                           public std::enable_shared_from_this<link_session>,
                           private lane_events,
                           private frame_sink,
                           private home_duties {
 public:
  static constexpr duration goodbye_patience = std::chrono::seconds(1);
  static constexpr unsigned looks_in_a_lease = 5;
  static constexpr unsigned silent_looks_to_stall = 2;
  static constexpr unsigned most_patience = 10;  // times that, as long as the peer takes what it is sent
  static constexpr unsigned most_fruitless = 8;  // connections in a row with which nothing goes on

  struct setup {
    scheduler& workers;
    worker& home;
    session_host& host;
    node_identity peer;
    unsigned peer_streams;
    credit_limits send;                   // what the peer grants us
    credit_limits receive;                // what we grant it
    std::shared_ptr<socket_lane> socket;  // one of these two
    std::shared_ptr<shm_lane> memory;
    std::string lane_reason;
    std::uint32_t send_buffer;  // of a socket's lane
    bool may_move;              // to shared memory
    std::optional<endpoint> dialled_at;
    bool near;
    duration lease;
    std::shared_ptr<bulk_pool> bulks;
    std::uint64_t id;                     // hello::session
    bool secure;                          // it begins over TLS
    bool dialled;                         // by this side
    std::function<void(bool)> suspended;  // home worker; to dial again. True: the peer does just now
    std::function<void()> up;             // home worker, after link_up
    std::function<void(link_end)> gone;   // home worker, after link_down
  };
  explicit link_session(setup s);

  void start();

  const node_identity& peer() const noexcept override { return peer_; }
  worker& home() const noexcept override { return home_; }
  lane_kind lane() const noexcept override { return kind_.load(std::memory_order_relaxed); }
  std::string lane_reason() const override;
  const std::optional<endpoint>& dialled_at() const noexcept override { return dialled_at_; }
  bool is_near() const noexcept override { return near_; }
  std::uint64_t frames_out() const noexcept override;
  std::uint64_t frames_in() const noexcept override { return frames_in_.load(std::memory_order_relaxed); }
  bool stalled() const noexcept override { return stalled_.load(std::memory_order_relaxed); }
  bool suspended() const noexcept override { return suspended_.load(std::memory_order_relaxed); }
  std::uint64_t resumed() const noexcept override { return resumed_.load(std::memory_order_relaxed); }
  void supersede(link_end why) override;
  std::uint64_t duplicates() const noexcept override { return duplicates_.load(std::memory_order_relaxed); }
  void consumed(const held_credit& credit) override;
  void close() override;

  /// Or why not: gone, or already_linked if there is a later attempt.
  using standing = result<arrived_frames, refusal_code>;
  using prepared = std::function<void(standing)>;

  std::uint64_t id() const noexcept { return id_; }
  bool is_secure() const noexcept { return secure_; }
  // To go on over another connection; all on the home worker.
  std::uint32_t next_attempt() const noexcept { return attempt_ + (is_ours(attempt_) ? 2 : 1) + ahead_; }
  /// The peer had a later one: the next shall be later than several more of its.
  void overtaken() noexcept { ahead_ = std::min<std::uint32_t>(ahead_ + 64, 1u << 16); }
  /// Lets go of the connection there is; then tells what has arrived.
  void prepare(std::uint32_t attempt, prepared then);
  /// False: not this one.
  bool resume(std::uint32_t attempt, connection over, const arrived_frames& there);
  // To move to shared memory.
  bool may_move() const noexcept { return may_move_; }
  bool was_dialled() const noexcept { return dialled_; }  // by this side
  unsigned peer_streams() const noexcept { return static_cast<unsigned>(receiving_.size()); }
  // Home worker.
  bool is_moving() const noexcept { return stage_ != stage::none; }
  /// Whether there is memory of a move that came to nothing, to which the peer may have moved all the same: then the session goes on over
  /// another connection first.
  bool ends_half_move();
  std::uint32_t next_move() noexcept {
    return asked_ = std::max({asked_, move_, peer_reads_, peer_moved_}) + 1;
  }
  /// Both sides have mapped these rings for the move of that number. Home worker.
  void move_to(std::shared_ptr<shm_lane> memory, std::uint32_t number);

  /// There is nobody any more who knows it, as `why` says.
  void forgotten(std::string why);

 private:
  enum class life : std::uint8_t { starting, up, closing, ended };
  struct ending {
    link_end why;
    std::string text;
  };

  // lane_events
  std::size_t segment_arrived(const segment_header& header, byte_view frames) override;
  void something_arrived() override { heard_ = true; }
  void lane_ended(troupe::detail::lane& which, link_end why, std::string text) override;
  void lane_drained() override { finish_if_done(); }
  void room_appeared(unsigned stream) override { streams_[stream]->poke(); }
  void port_violated(std::string text) override;
  const char* slab_passed(const slab_name& name, const descriptor& file) override;
  const char* slab_gone(std::uint32_t number) override;
  // frame_sink
  session& as_session() noexcept override { return *this; }
  session_host& host() noexcept override { return host_; }
  bool live() const noexcept override { return life_ != life::ended; }
  bool credited(std::uint32_t stream, std::uint32_t window, std::uint32_t bytes) override;
  const char* slab_mapped(std::uint32_t slab) override;
  const char* borrowed(const loan_entry& l, bulk& out) override;
  const char* loan_returned(std::uint64_t number) override;
  const char* slab_refused(std::uint32_t slab) override;
  const char* lane_note(frame_kind what, std::uint32_t move) override;
  // home_duties
  bool take_ack(segment_header& into) override;
  bool ack_due() const noexcept override { return acks_.due(); }
  void write_credit(sending_stream& through) override;
  void write_loan_notes(sending_stream& through) override;

  sending_stream& home_stream() noexcept { return *streams_[home_.index()]; }
  /// `then` on the home worker.
  void on_each_worker(std::function<void(worker&, sending_stream&)> what, std::function<void()> then);
  void streams_are_up();
  bool violated(std::string text);
  void begin_closing(bool by_us);
  void finish_if_done();
  void close_expired();
  void look_for_life();
  void tell_of(std::atomic<bool>& state, bool is);
  bool is_ours(std::uint32_t attempt) const noexcept { return (attempt % 2 == 1) == dialled_; }
  bool can_resume() const noexcept { return id_ != 0 && life_ == life::up && (may_move_ || !memory_); }
  void suspend(std::string text);
  arrived_frames arrived() const;
  void part_detached();
  void go_over(connection over);
  void leave_memory();
  void prepare_to_lend();
  void lend_over(const std::shared_ptr<shm_lane>& memory);
  void pause_for_move();
  void move_if_settled();
  void streams_have_moved();
  void let_go_of_socket();
  void now_over(lane_kind kind, std::string reason);
  std::uint64_t acked() const noexcept;
  link_end closing_end() const noexcept { return closed_by_us_ ? link_end::closed : link_end::left; }
  bool all_goodbyes_in() const noexcept;
  void end(link_end why, std::string text);
  void part_stopped();
  /// Has the home worker flush, from any thread.
  void flush_home();

  scheduler& workers_;
  worker& home_;
  session_host& host_;
  node_identity peer_;
  std::shared_ptr<socket_lane> socket_;
  std::shared_ptr<shm_lane> memory_;
  std::atomic<lane_kind> kind_;
  mutable std::mutex reason_guard_;
  std::string lane_reason_;
  const std::uint32_t send_buffer_;
  const bool may_move_;
  const std::optional<endpoint> dialled_at_;
  const bool near_;
  const std::uint64_t id_;
  const bool secure_;
  const bool dialled_;
  std::function<void(bool)> on_suspended_;
  std::function<void()> up_;
  std::function<void(link_end)> gone_;
  life life_ = life::starting;
  bool close_wanted_ = false;
  bool closed_by_us_ = false;
  unsigned waited_ = 0;           // closing: how often the timer has run out
  std::uint64_t acked_then_ = 0;  // what acked() was when it was armed
  std::optional<ending> ending_;
  bool died_ = false;  // the peer's process has
  const duration lease_;
  const std::shared_ptr<bulk_pool> bulks_;
  bool heard_ = true;    // anything since the last look
  unsigned silent_ = 0;  // looks in a row
  std::atomic<bool> stalled_{false};
  std::atomic<bool> suspended_{false};
  unsigned detaching_ = 0;     // lanes and streams that have not let go of the last connection
  std::uint32_t attempt_ = 0;  // the last one
  std::uint32_t ahead_ = 0;    // of the peer's, for the next one
  instant suspended_since_{};
  prepared preparing_;
  std::uint64_t progress_ = 0;  // frames that had gone either way when it was suspended last
  unsigned fruitless_ = 0;
  std::atomic<std::uint64_t> resumed_{0};
  unsigned parts_ = 0;  // of the lanes and the streams, how many have not stopped

  enum class stage : std::uint8_t {
    none,
    reading,   // both lanes; the streams go on over the socket
    pausing,   // they do, on their workers
    settling,  // until what they sent is acknowledged
    moving,    // they do, on their workers
    moved,     // and the peer has not said so
  };
  stage stage_ = stage::none;
  std::uint32_t asked_ = 0;       // for the last one; a number means one pair of rings
  std::uint32_t move_ = 0;        // the last one
  std::uint32_t peer_reads_ = 0;  // the rings of that move
  std::uint32_t peer_moved_ = 0;

  ack_book acks_;
  std::vector<std::shared_ptr<sending_stream>> streams_;  // ours, by worker
  std::vector<bool> given_;                  // these streams were acked or credited and not told yet
  std::vector<receiving_stream> receiving_;  // the peer's
  struct debt {
    std::uint32_t stream;
    std::uint32_t window;
  };
  std::vector<debt> debts_;         // windows that we owe credit for
  std::unique_ptr<lender> lender_;  // these two: null if it never had memory
  std::shared_ptr<borrower> borrower_;
  std::vector<std::uint64_t> giving_back_;  // loans; these two wait for room
  std::atomic<std::uint64_t> frames_in_{0};
  std::atomic<std::uint64_t> duplicates_{0};
  bound_timer<link_session, &link_session::close_expired> close_timer_{*this};
  bound_timer<link_session, &link_session::look_for_life> lease_timer_{*this};
};

}  // namespace troupe::detail
