#include "link_session.hpp"

#include <algorithm>

#include <troupe/assert.hpp>
#include <troupe/detail/checked.hpp>

namespace troupe::detail {

std::string_view to_string(lane_kind lane) noexcept {
  switch (lane) {
    case lane_kind::shm: return "shm";
    case lane_kind::local_socket: return "local socket";
    case lane_kind::tcp: break;
  }
  return "tcp";
}

link_session::link_session(setup s)
    : workers_(s.workers),
      home_(s.home),
      host_(s.host),
      peer_(std::move(s.peer)),
      socket_(std::move(s.socket)),
      memory_(std::move(s.memory)),
      kind_(memory_ ? lane_kind::shm : socket_->kind()),
      lane_reason_(std::move(s.lane_reason)),
      send_buffer_(s.send_buffer),
      may_move_(s.may_move),
      dialled_at_(std::move(s.dialled_at)),
      near_(s.near),
      id_(s.id),
      secure_(s.secure),
      dialled_(s.dialled),
      on_suspended_(std::move(s.suspended)),
      up_(std::move(s.up)),
      gone_(std::move(s.gone)),
      lease_(s.lease),
      bulks_(std::move(s.bulks)),
      acks_(s.peer_streams, s.home, [this] { home_stream().flush_soon(); }),
      given_(s.workers.size(), false) {
  if (memory_) {
    prepare_to_lend();
    lend_over(memory_);
  }
  troupe::detail::lane* const over =
      memory_ ? static_cast<troupe::detail::lane*>(memory_.get()) : socket_.get();
  for (unsigned i = 0; i < workers_.size(); ++i) {
    worker& on = workers_.at(i);
    home_duties* const duties = &on == &home_ ? this : nullptr;
    const sending_stream::setup each{*this, host_, *this, on, *over, duties, s.send, lender_.get()};
    streams_.push_back(std::make_shared<sending_stream>(each));
  }
  receiving_.reserve(s.peer_streams);
  for (unsigned i = 0; i < s.peer_streams; ++i) {
    receiving_.emplace_back(static_cast<std::uint8_t>(i), s.receive, static_cast<frame_sink&>(*this));
  }
}

std::uint64_t link_session::frames_out() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& s : streams_) sum += s->frames_out();
  return sum;
}

void link_session::on_each_worker(std::function<void(worker&, sending_stream&)> what,
                                  std::function<void()> then) {
  struct round {
    std::shared_ptr<link_session> self;
    std::function<void(worker&, sending_stream&)> what;
    std::function<void()> then;
    unsigned waiting_for;  // the home worker's
  };
  const auto all =
      std::make_shared<round>(round{shared_from_this(), std::move(what), std::move(then), workers_.size()});
  for (unsigned i = 0; i < workers_.size(); ++i) {
    workers_.at(i).post([all, i](worker& on) {
      all->what(on, *all->self->streams_[i]);
      all->self->home_.post([all](worker&) {
        if (--all->waiting_for == 0) all->then();
      });
    });
  }
}

void link_session::start() {
  on_each_worker([this](worker& on, sending_stream& stream) { host_.stream_up(on, *this, stream); },
                 [this] { streams_are_up(); });
}

void link_session::streams_are_up() {
  life_ = life::up;
  host_.link_up(*this);
  std::exchange(up_, nullptr)();
  if (ending_) return end(ending_->why, std::move(ending_->text));
  if (life_ == life::up && close_wanted_) begin_closing(true);
  if (memory_) {
    memory_->start(*this);
  } else {
    socket_->start(*this);
  }
  if (live()) home_.timers().arm(lease_timer_, home_.now() + lease_ / looks_in_a_lease);
}

void link_session::look_for_life() {
  if (life_ == life::closing) return;  // which has patience of its own
  if (std::exchange(heard_, false) || (memory_ && memory_->unread())) {
    silent_ = 0;
    tell_of(stalled_, false);
  } else {
    ++silent_;
    if (silent_ == looks_in_a_lease - 1)
      return end(link_end::unreachable, "the peer has said nothing for its lease");
    if (!suspended()) {
      if (silent_ == silent_looks_to_stall) tell_of(stalled_, true);
      home_stream().put({frame_kind::probe, 0, 0, 0, 0}, {});
    }
  }
  home_.timers().arm(lease_timer_, home_.now() + lease_ / looks_in_a_lease);
}

void link_session::tell_of(std::atomic<bool>& state, bool is) {
  if (state.exchange(is, std::memory_order_relaxed) != is) host_.link_stalled(*this);
}

void link_session::suspend(std::string text) {
  std::uint64_t progress = acked();
  for (const receiving_stream& r : receiving_) progress += r.received();
  fruitless_ = progress == progress_ ? fruitless_ + 1 : 0;
  progress_ = progress;
  if (fruitless_ == most_fruitless)
    return end(link_end::unreachable, "connections break before anything goes on: " + text);
  suspended_since_ = home_.now();
  stalled_.store(false, std::memory_order_relaxed);
  tell_of(suspended_, true);
  const auto done = [self = shared_from_this()] { self->part_detached(); };
  detaching_ = (socket_ ? 1u : 0u) + (memory_ ? 2u : 0u);
  stage_ = stage::none;
  if (socket_) socket_->detach(done);
  if (!memory_) return;
  lender_->tell_over(nullptr);
  memory_->detach(done);
  on_each_worker([](worker&, sending_stream& stream) { stream.pause(); }, done);
}

void link_session::part_detached() {
  if (life_ != life::up || --detaching_ != 0) return;
  const bool peer_dials = preparing_ && !is_ours(attempt_);
  if (preparing_) std::exchange(preparing_, nullptr)(arrived());
  if (on_suspended_ && !mutated(mutant::deaf_resume)) on_suspended_(peer_dials);
}

arrived_frames link_session::arrived() const {
  arrived_frames all;
  for (const receiving_stream& r : receiving_)
    all.push_back(r.received() + (mutated(mutant::greedy_resume) ? 1 : 0));
  return all;
}

void link_session::prepare(std::uint32_t attempt, prepared then) {
  if (life_ == life::starting) return then(refusal_code::already_linked);  // soon
  if (!can_resume()) return then(refusal_code::gone);
  if (attempt <= attempt_) return then(refusal_code::already_linked);
  attempt_ = attempt;
  if (!is_ours(attempt)) heard_ = true;
  if (preparing_) std::exchange(preparing_, nullptr)(refusal_code::already_linked);
  if (suspended() && detaching_ == 0) return then(arrived());
  preparing_ = std::move(then);
  if (!suspended()) suspend("the peer has dialled again");
}

bool link_session::resume(std::uint32_t attempt, connection over, const arrived_frames& there) {
  if (!can_resume() || attempt != attempt_ || !suspended() || detaching_ != 0) return false;
  if (there.size() != streams_.size())
    return violated("it goes on with another number of streams than it began with");
  for (unsigned i = 0; i < streams_.size(); ++i) {
    if (there[i] < streams_[i]->last_ack() || !streams_[i]->note_ack(there[i]))
      return violated("it goes on with frames that were never sent, or without some that were acknowledged");
    if (socket_ && !mutated(mutant::lazy_trim) && !mutated(mutant::no_dedup))
      socket_->acked(static_cast<std::uint8_t>(i), there[i]);
  }
  heard_ = true;
  ahead_ = 0;
  resumed_.fetch_add(1, std::memory_order_relaxed);
  tell_of(suspended_, false);
  go_over(std::move(over));
  for (const auto& stream : streams_) stream->poke();
  return true;
}

void link_session::forgotten(std::string why) {
  if (!suspended() || mutated(mutant::unheard_gone)) return;
  if (memory_ && detaching_ == 0 && !memory_->take_rest()) return;
  end(link_end::unreachable, std::move(why));
}

void link_session::supersede(link_end why) {
  home_.post([weak = weak_from_this(), why](worker&) {
    const auto self = weak.lock();
    if (!self || !self->suspended() || !self->live()) return;
    if (self->home_.now() - self->suspended_since_ < self->lease_ / looks_in_a_lease) return;
    self->end(why, "the peer has begun anew");
  });
}

std::size_t link_session::segment_arrived(const segment_header& header, byte_view frames) {
  if (!live()) return 0;
  std::size_t worth = header.length;
  heard_ = true;
  if (header.stream >= receiving_.size()) return violated("a segment of a stream that does not exist");
  receiving_stream& from = receiving_[header.stream];
  if (header.ack != 0) {
    if (header.acked_stream >= streams_.size() || !streams_[header.acked_stream]->note_ack(header.ack)) {
      return violated("an acknowledgement of frames that were never sent");
    }
    given_[header.acked_stream] = true;
    if (socket_) socket_->acked(header.acked_stream, header.ack);
  }
  if (header.frames == 0) {
    if (!frames.empty()) return violated("a segment of no frames with something in it");
  } else {
    switch (from.classify(header)) {
      case receiving_stream::order::broken: return violated("a gap in a stream's sequence numbers");
      case receiving_stream::order::duplicate: duplicates_.fetch_add(1, std::memory_order_relaxed); break;
      case receiving_stream::order::next:
        if (const char* const wrong = from.take(header, frames, home_.now())) return violated(wrong);
        if (!live()) return 0;
        worth += from.apart();
        frames_in_.fetch_add(header.frames, std::memory_order_relaxed);
        acks_.received(header.stream, from.received(), worth);
    }
  }
  for (std::size_t i = 0; i < given_.size(); ++i) {
    if (given_[i]) streams_[i]->poke();
    given_[i] = false;
  }
  if (stage_ == stage::settling) move_if_settled();
  if (all_goodbyes_in()) {
    if (life_ == life::up) begin_closing(false);
    if (acks_.anything_to_say()) acks_.make_due();
    finish_if_done();
  }
  return live() ? worth : 0;
}

bool link_session::credited(std::uint32_t stream, std::uint32_t window, std::uint32_t bytes) {
  if (stream >= streams_.size()) return false;
  given_[stream] = true;
  return streams_[stream]->note_credit(window, bytes);
}

bool link_session::take_ack(segment_header& into) {
  const bool taken = acks_.take(into);
  if (taken && life_ == life::closing && !acks_.anything_to_say()) {
    home_.post([self = shared_from_this()](worker&) { self->finish_if_done(); });  // once it is published
  }
  return taken;
}

void link_session::write_credit(sending_stream& through) {
  constexpr std::size_t most = 256;
  std::byte body[most * credit_entry_bytes];
  while (!debts_.empty()) {
    const std::uint32_t stream = debts_.back().stream;
    std::size_t count = 0;
    while (count < std::min(most, debts_.size()) && debts_[debts_.size() - 1 - count].stream == stream) {
      const std::uint32_t window = debts_[debts_.size() - 1 - count].window;
      store<std::uint32_t>(body + count * credit_entry_bytes, window);
      store<std::uint32_t>(body + count * credit_entry_bytes + 4, receiving_[stream].owed(window));
      ++count;
    }
    const byte_view entries = byte_view(body).first(count * credit_entry_bytes);
    if (!through.put({frame_kind::credit, stream, 0, 0, 0}, entries))
      return;  // tried again when there is room
    for (; count != 0; --count) {
      receiving_[stream].repaid(debts_.back().window);
      debts_.pop_back();
    }
  }
}

/// As many notes as go into frames of a few KiB; false: there is no room for the rest.
template <class Number>
static bool write_numbers(sending_stream& through, loan_note what, std::vector<Number>& numbers) {
  constexpr std::size_t most = 512;
  std::byte body[most * sizeof(Number)];
  while (!numbers.empty()) {
    const std::size_t count = std::min(most, numbers.size());
    const auto first = numbers.end() - static_cast<std::ptrdiff_t>(count);
    std::memcpy(body, &*first, count * sizeof(Number));
    const frame_header header{frame_kind::loans, static_cast<std::uint32_t>(what), 0, 0, 0};
    if (!through.put(header, byte_view(body).first(count * sizeof(Number)))) return false;
    numbers.erase(first, numbers.end());
  }
  return true;
}

void link_session::write_loan_notes(sending_stream& through) {
  if (lender_ == nullptr) return;
  for (;;) {
    if (giving_back_.empty()) giving_back_ = borrower_->take_returned();
    if (giving_back_.empty()) break;
    if (!write_numbers(through, loan_note::given_back, giving_back_)) return;
  }
  if (write_numbers(through, loan_note::slabs_refused, borrower_->refused()))
    write_numbers(through, loan_note::slabs_mapped, borrower_->mapped());
}

const char* link_session::slab_passed(const slab_name& name, const descriptor& file) {
  heard_ = true;
  const char* const wrong = borrower_->map(home_.world(), name, file);
  home_stream().flush_soon();  // to say how it went
  return wrong;
}

const char* link_session::slab_gone(std::uint32_t number) { return borrower_->unmap(number); }

const char* link_session::borrowed(const loan_entry& l, bulk& out) {
  if (borrower_ == nullptr) return "a loan in a session that lends nothing";
  if (!borrower_->knows(l.slab)) {
    if (memory_) {
      if (const char* const wrong = memory_->hear_of_slabs()) return wrong;
    }
    if (!borrower_->knows(l.slab) && !(memory_ && memory_->connected())) {
      if (const char* const wrong = borrower_->refuse(l.slab)) return wrong;
    }
  }
  return borrower_->borrow(l, out);
}

const char* link_session::loan_returned(std::uint64_t number) {
  const bool known = lender_ != nullptr && lender_->given_back(number);
  return known ? nullptr : "a loan that was never made is given back";
}

const char* link_session::slab_mapped(std::uint32_t slab) {
  if (lender_ == nullptr) return "a slab is mapped in a session that lends nothing";
  lender_->mapped(slab);
  return nullptr;
}

const char* link_session::slab_refused(std::uint32_t slab) {
  if (lender_ == nullptr) return "a slab is refused in a session that lends nothing";
  lender_->refused(slab);
  return nullptr;
}

void link_session::flush_home() {
  home_.post([weak = weak_from_this()](worker&) {
    if (const auto self = weak.lock(); self && self->live()) self->home_stream().flush_soon();
  });
}

void link_session::consumed(const held_credit& credit) {
  TROUPE_ASSERT(current_worker == &home_, "give credit back on the session's home worker");
  if (credit.bytes == 0 || life_ == life::ended) return;
  if (receiving_[credit.stream].owe(credit.destination, credit.bytes)) {
    debts_.push_back({credit.stream, credit.destination});
  }
  home_stream().flush_soon();
}

bool link_session::violated(std::string text) {
  end(link_end::violated, std::move(text));
  return false;
}

void link_session::port_violated(std::string text) {
  home_.post([self = shared_from_this(), text = std::move(text)](worker&) { self->violated(text); });
}

void link_session::lane_ended(troupe::detail::lane& which, link_end why, std::string text) {
  const bool is_memory = &which == memory_.get();
  if (is_memory && why == link_end::violated) return end(why, std::move(text));
  if (is_memory && stage_ == stage::reading && why == link_end::unreachable) {
    stage_ = stage::none;
    return memory_->detach([] {});  // and keeps it: a peer that has not noticed may still move there
  }
  if (!is_memory && stage_ == stage::moved && why == link_end::unreachable && !died_)
    return let_go_of_socket();
  if (life_ == life::closing) return end(closing_end(), "it was closing");
  died_ = died_ || why == link_end::died;
  if (died_ && is_memory && stage_ != stage::none) return;  // when all that came over the socket is taken
  if (!died_ && can_resume()) return suspend(std::move(text));
  if (!is_memory && memory_ && !memory_->take_rest()) return;
  end(died_ ? link_end::died : why, std::move(text));
}

void link_session::close() {
  close_wanted_ = true;
  if (suspended()) return end(link_end::closed, "it was closed without a connection");
  if (life_ == life::up) begin_closing(true);
}

void link_session::begin_closing(bool by_us) {
  life_ = life::closing;
  closed_by_us_ = by_us;
  acked_then_ = acked();
  home_.timers().arm(close_timer_, home_.now() + goodbye_patience);
  for (const auto& stream : streams_) {
    stream->on().post([self = shared_from_this(), stream](worker&) { stream->finish(); });
  }
}

void link_session::close_expired() {
  if (const std::uint64_t now = acked(); now != acked_then_ && ++waited_ < most_patience) {
    acked_then_ = now;
    return home_.timers().arm(close_timer_, home_.now() + goodbye_patience);
  }
  end(closing_end(), "the peer did not say goodbye in time");
}

std::uint64_t link_session::acked() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& s : streams_) sum += s->last_ack();
  return sum;
}

bool link_session::all_goodbyes_in() const noexcept {
  return std::ranges::all_of(receiving_, [](const receiving_stream& r) { return r.said_goodbye(); });
}

void link_session::finish_if_done() {
  if (life_ != life::closing || !all_goodbyes_in() || acks_.anything_to_say() ||
      (lane() != lane_kind::shm && !socket_->drained()))
    return;
  if (std::ranges::all_of(streams_, [](const auto& s) { return s->goodbye_acked(); }))
    end(closing_end(), "both have said goodbye");
}

void link_session::end(link_end why, std::string text) {
  if (life_ == life::ended) return;
  if (!ending_) ending_ = ending{why, std::move(text)};
  if (life_ == life::starting) return;  // streams_are_up goes on with it
  life_ = life::ended;
  suspended_.store(false, std::memory_order_relaxed);
  on_suspended_ = nullptr;
  if (preparing_) std::exchange(preparing_, nullptr)(refusal_code::gone);
  home_.timers().cancel(close_timer_);
  home_.timers().cancel(lease_timer_);
  acks_.rest();
  if (lender_ != nullptr) {  // before the socket is closed, over which it passes slabs
    lender_->close();
    borrower_->close();
  }
  const auto done = [self = shared_from_this()] { self->part_stopped(); };
  stage_ = stage::none;
  parts_ += 1 + (socket_ ? 1u : 0u) + (memory_ ? 1u : 0u);
  if (socket_) socket_->stop(done);
  if (memory_) memory_->stop(done);
  on_each_worker([this](worker& on, sending_stream& stream) { host_.stream_down(on, *this, stream.stop()); },
                 done);
}

void link_session::part_stopped() {
  if (--parts_ != 0 || life_ != life::ended) return;
  host_.link_down(*this, ending_->why, ending_->text);
  std::exchange(gone_, nullptr)(ending_->why);
}

}  // namespace troupe::detail
