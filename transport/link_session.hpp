// A session over one lane: the streams of every worker, what the peer's streams bring, acknowledgements, and
// an orderly end.
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
// Connections. If the lane lasts (socket_lane.hpp), the session outlives a connection that breaks while it is up: it is suspended,
// streams go on to publish until the lane is full, and it is dialled for again (hub.cpp, link.cpp). For each attempt,
// which is numbered, both sides first let go of the connection they have (prepare), so that what has arrived does not
// change any more, tell each other, and then go on over the new one (resume): each sends again what the other lacks. What comes
// twice all the same is dropped by its number. A connection with which nothing goes on, eight times in a row, ends the session.
// Both sides may dial, if they know where: who dialled first counts odd attempts, the other even ones, and the later counts.
//
// The lease. A peer that is stopped, or cut off without a word, keeps its connection. So a session looks five times in a lease
// whether anything has come, and if nothing has, says something that is to be acknowledged. Silent at two looks in a row it is
// stalled, at four it is over; the peer, once it wakes, finds the connection ended, and its memory is never looked at
// again. Looks are counted and not times compared: whoever was stopped itself, or whose clock jumps, has missed looks only.
// While it is suspended it is silent.
//
// The object lives until the last posted call that holds it has run.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "ack_book.hpp"
#include "borrower.hpp"
#include "handshake.hpp"
#include "receiving_stream.hpp"
#include "scheduler.hpp"
#include "sending_stream.hpp"

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
    credit_limits send;     // what the peer grants us
    credit_limits receive;  // what we grant it
    std::shared_ptr<troupe::detail::lane> over;
    std::string lane_reason;
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
  lane_kind lane() const noexcept override { return lane_->kind(); }
  const std::string& lane_reason() const noexcept override { return lane_reason_; }
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
  void lane_ended(link_end why, std::string text) override;
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
  // home_duties
  bool take_ack(segment_header& into) override;
  bool ack_due() const noexcept override { return acks_.due(); }
  void write_credit(sending_stream& through) override;
  void write_loan_notes(sending_stream& through) override;

  sending_stream& home_stream() noexcept { return *streams_[home_.index()]; }
  void on_each_worker(std::function<void(worker&, sending_stream&)> what, void (link_session::*then)());
  void streams_are_up();
  bool violated(std::string text);
  void begin_closing(bool by_us);
  void finish_if_done();
  void close_expired();
  void look_for_life();
  void tell_of(std::atomic<bool>& state, bool is);
  bool is_ours(std::uint32_t attempt) const noexcept { return (attempt % 2 == 1) == dialled_; }
  bool can_resume() const noexcept { return id_ != 0 && lane_->lasts() && life_ == life::up; }
  void suspend(std::string text);
  arrived_frames arrived() const;
  void detached();
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
  std::shared_ptr<troupe::detail::lane> lane_;
  std::string lane_reason_;
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
  const duration lease_;
  bool heard_ = true;    // anything since the last look
  unsigned silent_ = 0;  // looks in a row
  std::atomic<bool> stalled_{false};
  std::atomic<bool> suspended_{false};
  bool detached_ = false;      // … and nothing of the last connection is in flight
  std::uint32_t attempt_ = 0;  // the last one
  std::uint32_t ahead_ = 0;    // of the peer's, for the next one
  instant suspended_since_{};
  prepared preparing_;
  std::uint64_t progress_ = 0;  // frames that had gone either way when it was suspended last
  unsigned fruitless_ = 0;
  std::atomic<std::uint64_t> resumed_{0};
  unsigned waiting_for_ = 0;  // workers that have not done what on_each_worker asked
  unsigned parts_ = 0;        // of the lane and the streams, how many have not stopped

  ack_book acks_;
  std::vector<std::shared_ptr<sending_stream>> streams_;  // ours, by worker
  std::vector<bool> given_;                  // these streams were acked or credited and not told yet
  std::vector<receiving_stream> receiving_;  // the peer's
  struct debt {
    std::uint32_t stream;
    std::uint32_t window;
  };
  std::vector<debt> debts_;         // windows that we owe credit for
  std::unique_ptr<lender> lender_;  // these two: null if the lane lends nothing
  std::shared_ptr<borrower> borrower_;
  std::vector<std::uint64_t> giving_back_;  // loans; these two wait for room
  std::atomic<std::uint64_t> frames_in_{0};
  std::atomic<std::uint64_t> duplicates_{0};
  bound_timer<link_session, &link_session::close_expired> close_timer_{*this};
  bound_timer<link_session, &link_session::look_for_life> lease_timer_{*this};
};

}  // namespace troupe::detail
