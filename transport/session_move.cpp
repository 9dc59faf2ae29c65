// How a session moves between lanes (link_session.hpp): to shared memory while messages flow, and back to a socket when that is lost.
#include <algorithm>
#include <utility>

#include <troupe/detail/checked.hpp>

#include "link_session.hpp"

namespace troupe::detail {

std::string link_session::lane_reason() const {
  const std::lock_guard lock(reason_guard_);
  return lane_reason_;
}

void link_session::now_over(lane_kind kind, std::string reason) {
  kind_.store(kind, std::memory_order_relaxed);
  {
    const std::lock_guard lock(reason_guard_);
    lane_reason_ = std::move(reason);
  }
  host_.lane_changed(*this);
}

/// And to borrow.
void link_session::prepare_to_lend() {
  if (lender_ != nullptr) return;
  lender_ = std::make_unique<lender>(bulks_, nullptr);
  borrower_ = std::make_shared<borrower>([this] { flush_home(); });
}

/// The peer reads what is told there.
void link_session::lend_over(const std::shared_ptr<shm_lane>& memory) {
  lender_->tell_over([memory](const slab_name& name, int file) { return memory->tell_of_slab(name, file); });
}

void link_session::move_to(std::shared_ptr<shm_lane> memory, std::uint32_t number) {
  const bool may = may_move_ && can_resume() && !suspended() && !is_moving() && lane() != lane_kind::shm;
  if (!may || number <= move_) return;
  if (ends_half_move()) return;
  move_ = number;
  memory_ = std::move(memory);
  prepare_to_lend();
  stage_ = stage::reading;
  memory_->start(*this);
  home_stream().say({frame_kind::reads, number, 0, 0, 0});
  if (peer_reads_ == number) pause_for_move();
}

bool link_session::ends_half_move() {
  const bool does = memory_ && can_resume() && !suspended() && !is_moving() && lane() != lane_kind::shm;
  if (does) suspend("a move to memory came to nothing");
  return does;
}

const char* link_session::lane_note(frame_kind what, std::uint32_t move) {
  if (!may_move_) return "a note of a move to memory that this session does not make";
  (what == frame_kind::reads ? peer_reads_ : peer_moved_) = move;
  if (stage_ == stage::reading && peer_reads_ == move_) pause_for_move();
  if (stage_ == stage::moved && peer_moved_ == move_) let_go_of_socket();
  return nullptr;
}

void link_session::pause_for_move() {
  stage_ = stage::pausing;
  on_each_worker([](worker&, sending_stream& stream) { stream.pause(); },
                 [this] {
                   if (stage_ != stage::pausing) return;
                   stage_ = stage::settling;
                   move_if_settled();
                 });
}

void link_session::move_if_settled() {
  const auto is_settled = [](const auto& stream) { return stream->settled() || mutated(mutant::eager_move); };
  if (!std::ranges::all_of(streams_, is_settled)) return;
  stage_ = stage::moving;
  lend_over(memory_);
  on_each_worker([over = memory_, lends = lender_.get()](
                     worker&, sending_stream& stream) { stream.go_on(*over, lends); },
                 [this] {
                   if (stage_ == stage::moving) streams_have_moved();
                 });
}

void link_session::streams_have_moved() {
  stage_ = stage::moved;
  home_stream().say({frame_kind::moved, move_, 0, 0, 0});
  now_over(lane_kind::shm, "the peer is on this host");
  if (peer_moved_ == move_) let_go_of_socket();
}

/// This side's frames over it are acknowledged, and the peer's, or it will go on over another connection. Acknowledgements
/// that were still to go over it are lost.
void link_session::let_go_of_socket() {
  if (died_) return end(link_end::died, "the peer's process has ended");
  stage_ = stage::none;
  socket_->detach([] {});
  acks_.say_again();
}

/// After suspend(), when nothing of the lanes is in flight and streams pause, if there was memory.
void link_session::go_over(connection over) {
  const lane_kind kind = over.kind;
  const std::shared_ptr<shm_lane> left = memory_;
  if (left && !mutated(mutant::deaf_memory) && !(left->take_rest() && live())) return;
  if (left) leave_memory();
  if (socket_) {
    socket_->attach(std::move(over));
  } else {
    socket_ = std::make_shared<socket_lane>(
        socket_lane::setup{home_, workers_, std::move(over), send_buffer_, secure_ ? sum::none : sum::xxh3});
    socket_->start(*this);
  }
  // The lane that is left lives for as long as a stream has it.
  if (left) {
    on_each_worker([left, to = socket_](worker&, sending_stream& stream) { stream.go_on(*to, nullptr); },
                   [this] {
                     if (live()) acks_.say_again();
                   });
  }
  if (left || kind != lane())
    now_over(kind, left ? "shared memory was lost" : "it was dialled again when a connection broke");
}

void link_session::leave_memory() {
  lender_->tell_over(nullptr);
  ++parts_;
  memory_->stop([self = shared_from_this(), lane = memory_] { self->part_stopped(); });
  memory_.reset();
}

}  // namespace troupe::detail
