#include "wait_cycles.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <troupe/detail/actor_core.hpp>
#include <troupe/down.hpp>
#include <troupe/send.hpp>

#include "control.hpp"
#include "node_core.hpp"

namespace troupe::detail {
namespace {

constexpr unsigned most_looks = 1024;

void pass_on(std::unique_ptr<chase> c, order what, const address& to) {
  auto* const letter = new control(what);
  letter->chased = std::move(c);
  to.core()->command(to.generation, letter);
}

std::string place(const operation& o) {
  return std::string(o.at().file_name()) + ":" + std::to_string(o.at().line());
}

std::string describe(const chase& cycle) {
  std::string line = "wait cycle: ";
  for (std::size_t i = 0; i < cycle.path.size(); ++i) {
    const chase::step& s = cycle.path[i];
    const chase::step& next = cycle.path[(i + 1) % cycle.path.size()];
    line += (i != 0 ? " → " : "") + s.path + " " + s.waits + " " + next.path + " at " + s.at;
  }
  return line;
}

/// The waits of a cycle, from the same one on wherever the chase began.
std::vector<std::uint64_t> identity(const chase& cycle) {
  const auto number = [](const chase::step& s) { return std::pair(s.who.slot, s.ticket); };
  std::vector<chase::step>::const_iterator first = std::ranges::min_element(cycle.path, {}, number);
  std::vector<std::uint64_t> all;
  for (std::size_t i = 0; i < cycle.path.size(); ++i) {
    all.push_back(first->who.slot);
    all.push_back(first->ticket);
    if (++first == cycle.path.end()) first = cycle.path.begin();
  }
  return all;
}

}  // namespace

// The timer of a wait.

void awaiting_receipt::begin(timer& t, const address& target, instant deadline) noexcept {
  actor_core& me = *static_cast<actor_core*>(owner());
  const duration first = me.node().options().watchdog.wait;
  const instant now = me.home().now();
  deadline_ = deadline;
  if (target.is_remote() || first <= duration::zero() || first >= deadline - now) {
    if (!target.is_remote()) target_ = &target;
    if (deadline != instant::max()) me.home().timers().arm(t, deadline);
    return;
  }
  target_ = &target;
  looked_after_ = first;
  me.home().timers().arm(t, now + first);
}

bool awaiting_receipt::still_early(timer& t) noexcept {
  const instant now = current_worker->now();
  if (now >= deadline_) return false;
  if (outstanding_ == nullptr) return true;  // it is over
  actor_core& me = *static_cast<actor_core*>(owner());
  if (looked_after_ < deadline_ - now) {
    me.home().timers().arm(t, now + looked_after_);
    looked_after_ *= 2;
  } else if (deadline_ != instant::max()) {
    me.home().timers().arm(t, deadline_);
  }
  me.chase_wait();
  return true;
}

// The actors on the way.

/// The one wait that keeps it, or null: it may go on by itself.
const awaiting_receipt* actor_core::stuck() const noexcept {
  if (phase_ != phase::running || finished_ || has_ready()) return nullptr;
  if (receiver_ != nullptr && !receiver_->full()) return nullptr;
  const operation* wait = nullptr;
  unsigned waits = 0;
  each_wait([&](const operation& o) {
    if (&o == receiver_) return;
    wait = &o;
    ++waits;
  });
  if (waits != 1 || (wait->what() != waits_to_send && wait->what() != waits_for_reply)) return nullptr;
  const auto* const found = static_cast<const awaiting_receipt*>(wait);
  return found->target() != nullptr ? found : nullptr;
}

/// Is that wait still for something that this actor has: a message, or a request, waiting, queued or being worked on?
bool actor_core::keeps_waiting(const address& sender, std::uint64_t ticket) const noexcept {
  const auto meant = [&](const receipt* r) {
    return r != nullptr && r->peer == nullptr && r->to == sender.core() &&
           r->generation == sender.generation && r->ticket == ticket &&
           r->state.load(std::memory_order_acquire) != receipt_state::cancelled;
  };
  bool found = false;
  unsigned looks = most_looks;  // many may wait, and each of them asks
  const auto look_in = [&](const letter_queue& q) {
    for (const letter* l = q.head; l != nullptr && !found && looks != 0; l = l->next, --looks)
      found = meant(static_cast<const envelope*>(l)->answer);
  };
  box_.each_lane([&](const mailbox_lane& l) {
    look_in(l.messages);
    if (box_.is_full(l)) look_in(l.waiting);  // else it waits for room of the node
  });
  if (found || receiver_ == nullptr) return found;
  for (const running_handler* h = receiver_->handlers; h != nullptr; h = h->next) {
    if (meant(h->message->answer)) return true;
  }
  return false;
}

std::string actor_core::mailbox_text() const {
  return "mailbox " + std::to_string(walk()) + " of " + std::to_string(box_.limit());
}

void actor_core::chase_wait() noexcept { follow(std::make_unique<chase>()); }

/// A chase has come from the last of its path, or begins here.
void actor_core::follow(std::unique_ptr<chase> c) noexcept {
  const awaiting_receipt* const wait = stuck();
  const bool selective = receiver_ != nullptr && receiver_->only != nullptr;
  if (wait == nullptr && !selective) return;
  if (!c->path.empty() && !keeps_waiting(c->path.back().who, c->path.back().ticket)) return;
  if (wait == nullptr) return check_selective(*c);
  const auto here = std::ranges::find(c->path, self(), &chase::step::who);
  if (here == c->path.end()) {
    if (c->path.size() == chase::longest) return;
    c->path.push_back({self(), wait->ticket()});
    return pass_on(std::move(c), order::chase, *wait->target());
  }
  if (here->ticket != wait->ticket()) return;
  c->path.erase(c->path.begin(), here);  // what leads into the cycle
  confirm(std::move(c));
}

/// The second look: every actor of the cycle, in turn.
void actor_core::confirm(std::unique_ptr<chase> c) noexcept {
  chase::step& step = c->path[c->confirmed];
  const awaiting_receipt* const wait = stuck();
  if (wait == nullptr || wait->ticket() != step.ticket) return;
  const bool asks = wait->what() == waits_for_reply;
  step.path = node_->path_of(*this);
  step.waits = "(" + mailbox_text() + ") " + (asks ? "asks" : "waits for room of");
  step.at = place(*wait);
  if (++c->confirmed != c->path.size()) {
    const address to = c->path[c->confirmed].who;
    return pass_on(std::move(c), order::confirm, to);
  }
  if (node_->all_alarms().first_report(identity(*c))) node_->all_alarms().raise(describe(*c));
}

/// Does somebody wait for an actor that only takes what its mailbox has no room for?
void actor_core::check_selective(const chase& c) {
  if (c.path.empty() || receiver_ == nullptr || receiver_->only == nullptr || receiver_->full() ||
      receiver_->only == &value_type_of<down> || stopping() || has_ready() || box_.drops()) {
    return;
  }
  unsigned waits = 0;
  each_wait([&](const operation&) { ++waits; });
  const mailbox_lane& lane = box_.lane_of(*receiver_->only);
  for (const letter* l = lane.messages.head; l != nullptr; l = l->next) {
    if (static_cast<const envelope*>(l)->type == receiver_->only) return;
  }
  if (waits != 1 || !box_.is_full(lane)) return;
  if (!node_->all_alarms().first_report({slot_, receiver_->ticket()})) return;
  const wire_type* const wire = receiver_->only->wire;
  const std::string wanted =
      wire != nullptr ? std::string(wire->schema.substr(0, wire->schema.find('{'))) : "one type of message";
  node_->all_alarms().raise("selective receive before a full mailbox: " + node_->path_of(*this) +
                            " waits for " + wanted + " at " + place(*receiver_) + ", and its " +
                            mailbox_text() + " holds others; " + std::to_string(box_.waiters()) +
                            " senders wait");
}

}  // namespace troupe::detail
