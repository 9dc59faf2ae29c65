// Outbound: messages, requests, replies and notices to actors of peer nodes, on the sender's worker.
#include <memory>
#include <utility>

#include <troupe/ask.hpp>
#include <troupe/send.hpp>

#include "delivery.hpp"
#include "meetings.hpp"
#include "node_core.hpp"
#include "peers.hpp"
#include "wire_notes.hpp"

namespace troupe::detail {

/// A message that waits for credit or room on a link, or for a link with a third node (meetings.hpp). The waiting operation
/// owns it, and the message too.
struct link_wait : room_waiter {
  explicit link_wait(operation& o)
      : room_waiter(
            [](room_waiter& self, send_outcome end) noexcept { static_cast<link_wait&>(self).done(end); }),
        op(&o) {}
  explicit link_wait(ask_base& a)
      : room_waiter(
            [](room_waiter& self, send_outcome end) noexcept { static_cast<link_wait&>(self).done(end); }),
        asking(&a) {}

  ~link_wait() { leave(); }
  void leave() noexcept {
    if (meets != nullptr) std::exchange(meets, nullptr)->unmet.erase(place);
  }
  void done(send_outcome outcome) noexcept {
    over = true;
    how = outcome;
    if (asking != nullptr) return asking->on_link_room(outcome);
    if (outcome == send_outcome::sent) peer->node.count(entry::accepted_local);
    op->complete();
  }

  operation* op = nullptr;
  ask_base* asking = nullptr;
  bool over = false;
  send_outcome how = send_outcome::closed;
  const envelope* message = nullptr;
  peer_node* peer = nullptr;
  worker_state* meets = nullptr;  // it waits for a meeting, there
  std::list<link_wait*>::iterator place;
};

namespace {

outgoing as_outgoing(const address& to, const envelope& e, std::uint64_t correlation) noexcept {
  auto& message = const_cast<envelope&>(e);
  return {to.wire_target(), e.type->wire, message.message(), correlation, e.deadline(), to.peer()};
}

out_stream* stream_to(const address& to) noexcept {
  worker_state* const here = to.peer()->node.here();
  return here != nullptr ? here->stream_to(*to.peer()) : nullptr;
}

bool can_meet(const address& to) noexcept {
  return to.peer()->node.here() != nullptr && meetings::can_meet(*to.peer());
}

/// For the link that there is, or for one.
void begin_to_wait(link_wait& w) {
  worker_state& here = *w.peer->node.here();
  if (out_stream* const stream = here.stream_to(*w.peer)) return stream->wait(w);
  w.meets = &here;
  w.place = here.unmet.insert(here.unmet.end(), &w);
  w.peer->node.all_meetings().begin(*w.peer);
}

send_outcome send_now(const address& to, const envelope& e, std::uint64_t correlation) noexcept {
  if (e.type->wire == nullptr) return send_outcome::closed;
  worker_state* const here = to.peer()->node.here();
  out_stream* const stream = here != nullptr ? here->stream_to(*to.peer()) : nullptr;
  if (stream == nullptr) return can_meet(to) ? send_outcome::blocked : send_outcome::closed;
  const send_outcome how = stream->try_send(as_outgoing(to, e, correlation));
  if (how == send_outcome::sent) here->count.add(entry::accepted_local);
  return how;
}

}  // namespace

bool is_linked(const address& remote) noexcept {
  const out_stream* const stream = stream_to(remote);
  return stream != nullptr && stream->up();
}

send_outcome send_to_peer(const address& to, const envelope& e) noexcept { return send_now(to, e, 0); }

error to_error(send_outcome how, const envelope& e) noexcept {
  switch (how) {
    case send_outcome::sent: return errc::ok;
    case send_outcome::no_credit:
    case send_outcome::blocked: return errc::full;
    case send_outcome::too_large: return errc::too_large;
    case send_outcome::no_memory: return errc::no_memory;
    case send_outcome::not_encodable: return errc::not_encodable;
    case send_outcome::closed: break;
  }
  return e.type->wire == nullptr ? errc::not_encodable : errc::unreachable;
}

link_wait* wait_for_peer(const address& to, const envelope& e, operation& who) {
  auto* const w = new link_wait(who);
  w->message = &e;
  w->peer = to.peer();
  w->what = as_outgoing(to, e, 0);
  begin_to_wait(*w);
  return w;
}

error outcome_of(const link_wait& w) noexcept { return to_error(w.how, *w.message); }

bool still_waits(const link_wait& w) noexcept { return !w.over; }

void destroy(link_wait* w) noexcept { delete w; }

void end_meeting(worker_state& here, peer_node& whom) {
  out_stream* const stream = here.stream_to(whom);
  if (stream == nullptr && meetings::can_meet(whom)) return whom.node.all_meetings().begin(whom);  // again
  for (auto at = here.unmet.begin(); at != here.unmet.end();) {
    link_wait* const w = *at++;
    if (w->peer != &whom) continue;
    w->leave();
    if (stream != nullptr) {
      stream->wait(*w);
    } else {
      w->done(send_outcome::closed);
    }
  }
  meet_watched(here, whom);
}

// Requests.

void ask_base::submit_to_link() noexcept {
  peer_node& peer = *to_.peer();
  worker_state* const here = peer.node.here();
  const bool can_go = stream_to(to_) != nullptr || can_meet(to_);
  if (!can_go || envelope_->type->wire == nullptr) {
    return end_link_ask(to_error(send_outcome::closed, *envelope_));
  }
  correlation_ = here->next_number();
  here->asks.emplace(correlation_, worker_state::pending_ask{this, &peer});
  const send_outcome how = send_now(to_, *envelope_, correlation_);
  if (how == send_outcome::sent) return;
  if (how != send_outcome::no_credit && how != send_outcome::blocked)
    return end_link_ask(to_error(how, *envelope_));
  link_wait_ = new link_wait(*this);
  link_wait_->message = envelope_;
  link_wait_->peer = &peer;
  link_wait_->what = as_outgoing(to_, *envelope_, correlation_);
  begin_to_wait(*link_wait_);
}

void ask_base::on_link_room(send_outcome how) noexcept {
  const error e = to_error(how, *envelope_);
  destroy(std::exchange(link_wait_, nullptr));
  if (e.code != errc::ok) return end_link_ask(e);
  to_.peer()->node.count(entry::accepted_local);
}

void ask_base::on_link_reply(errc status, reader& body) noexcept {
  receipt* const r = std::exchange(envelope_->answer, nullptr);
  r->outcome =
      status == errc::expired ? error(status, 1) : error(status);  // unstarted, at the head of its queue
  if (status == errc::ok && r->value != nullptr) {
    r->value->construct(r->storage());
    r->has_value = true;
    r->value->wire->decode(body, r->storage(), true);
    if (!body.ok()) r->outcome = errc::bad_message;
  }
  wait_.arrive(r);
  forget_link_ask();
  wait_.complete();
}

void ask_base::end_link_ask(error why) noexcept {
  failure_ = why;
  count_refused(to_);
  forget_link_ask();
  wait_.complete();
}

/// The ask is given up: its target is told, if it has the request.
void ask_base::cancel_link_ask() noexcept {
  if (correlation_ != 0 && link_wait_ == nullptr) {
    if (out_stream* const stream = stream_to(to_))
      stream->control({note_cancel, to_.wire_target(), correlation_, 0, {}, true});
  }
  forget_link_ask();
}

void ask_base::forget_link_ask() noexcept {
  destroy(std::exchange(link_wait_, nullptr));
  if (correlation_ == 0) return;
  to_.peer()->node.here()->asks.erase(std::exchange(correlation_, 0));
}

void answer_peer(receipt* r) noexcept {
  peer_node& peer = *r->peer;
  worker_state* const here = peer.node.here();
  out_stream* const stream = here != nullptr ? here->stream_to(peer) : nullptr;
  if (stream == nullptr) {
    peer.node.count(entry::replies_lost);
  } else if (r->has_value) {
    stream->reply(r->ticket, r->outcome.code, r->value->wire, r->storage(), &peer);
  } else {
    stream->reply(r->ticket, r->outcome.code, nullptr, nullptr, &peer);
  }
  destroy(r);
}

// try_send.

errc reserve_peer(const address& to, const value_type& type) noexcept {
  peer_node& peer = *to.peer();
  if (type.wire == nullptr) return errc::not_encodable;
  if (peer.node.here() == nullptr) return reserve_outside(peer);
  out_stream* const stream = stream_to(to);
  if (stream == nullptr && !can_meet(to)) return errc::unreachable;
  if (stream == nullptr) {
    peer.node.all_meetings().begin(peer);
    return errc::full;
  }
  return stream->has_room(to.wire_target()) ? errc::ok : errc::full;
}

void unreserve_peer(const address& to) noexcept {
  if (to.peer()->node.here() == nullptr) unreserve_outside(*to.peer());
}

error commit_peer(const address& to, envelope* e) noexcept {
  if (to.peer()->node.here() == nullptr) {
    commit_outside(to, e);
    return errc::ok;
  }
  const error outcome = to_error(send_to_peer(to, *e), *e);
  finish(e);
  if (outcome.code != errc::ok) count_refused(to);
  return outcome;
}

}  // namespace troupe::detail
