#include "wait_cycles.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include <troupe/detail/actor_core.hpp>
#include <troupe/detail/checked.hpp>
#include <troupe/down.hpp>
#include <troupe/send.hpp>

#include "control.hpp"
#include "mailbox_steps.hpp"
#include "node_core.hpp"

namespace troupe::detail {
namespace {

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
  for (std::size_t i = 0; i < cycle.seen.size(); ++i) {
    const chase::sight& s = cycle.seen[i];
    const chase::sight& next = cycle.seen[(i + 1) % cycle.seen.size()];
    line += (i != 0 ? " → " : "") + s.path + " " + s.waits + " " + next.path + " at " + s.at;
  }
  return line;
}

chase::step step_of(actor_core& who, const awaiting_receipt& wait) {
  const bool for_room = wait.parked() && wait.stage() == 0;
  return {who.self(), wait.ticket(), for_room ? std::optional(wait.lane()) : std::nullopt};
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

const awaiting_receipt* needed_waits::find(std::uint64_t ticket) const noexcept {
  const auto found = std::find_if(begin(), end(), [&](const auto* w) { return w->ticket() == ticket; });
  return found != end() ? *found : nullptr;
}

// The timer of a wait.

void awaiting_receipt::begin(timer& t, const address& target, priority lane, instant now,
                             instant deadline) noexcept {
  actor_core& me = *static_cast<actor_core*>(owner());
  const duration first = me.node().options().watchdog.wait;
  deadline_ = deadline;
  began_ = now;
  lane_ = lane;
  if (target.is_remote() || first <= duration::zero() || first >= deadline - now) {
    if (!target.is_remote()) target_ = &target;
    if (deadline != instant::max()) me.home().timers().arm(t, deadline);
    return;
  }
  target_ = &target;
  looked_after_ = first;
  me.home().timers().arm(t, now + first);
}

void awaiting_receipt::begin_untimed(const address& target, priority lane, instant now) noexcept {
  deadline_ = instant::max();
  began_ = now;
  lane_ = lane;
  target_ = &target;
  looked_after_ = static_cast<actor_core*>(owner())->node().options().watchdog.wait;
}

bool awaiting_receipt::still_early(timer& t) noexcept {
  const instant now = current_worker->now();
  if (now >= deadline_) return false;
  if (outstanding_ == nullptr && here_ == nullptr) return true;  // it is over
  actor_core& me = *static_cast<actor_core*>(owner());
  if (looked_after_ < deadline_ - now) {
    me.home().timers().arm(t, now + looked_after_);
    looked_after_ *= 2;
  } else if (deadline_ != instant::max()) {
    me.home().timers().arm(t, deadline_);
  }
  me.chase_wait(*this);
  return true;
}

// Waits that begin without a timer.

/// How long a wait is young; zero: for ever.
duration crowds::first_wait() const noexcept {
  const duration set = of_.node.options().watchdog.wait;
  constexpr duration longest = std::chrono::hours(24);
  return set < longest ? set : duration::zero();
}

bool crowds::add(const address& where) noexcept {
  const duration first = first_wait();
  if (first <= duration::zero()) return true;
  if (allocation_fails()) return false;
  try {
    where_.push_back({where, of_.home.turn_time()});
  } catch (const std::bad_alloc&) {
    return false;
  }
  if (!armed()) look_again_in(first);
  return true;
}

void crowds::look_again_in(duration wait) noexcept {
  of_.home.timers().arm(*this, of_.home.turn_time() + wait);
}

/// Looks only where somebody may have become old, and not again at once, for there may be many crowds.
void crowds::look() noexcept {
  const duration first = first_wait();
  const instant now = of_.home.now();
  instant next = instant::max();
  std::erase_if(where_, [&](crowd& c) {
    if (c.where.core()->generation() != c.where.generation) return true;
    if (c.oldest <= now - first) c.oldest = c.where.core()->look_after_neighbours(now - first);
    next = std::min(next, c.oldest);
    return c.oldest == instant::max();
  });
  if (!where_.empty()) look_again_in(std::max(first - (now - next), first / 8));
}

/// Those whose wait began by then have become old. When the first of the others began; instant::max(): there are none.
instant actor_core::look_after_neighbours(instant began_by) noexcept {
  instant rest = instant::max();
  box_.each_lane([&](mailbox_lane& l) {
    for (letter* w = l.watched != nullptr ? l.watched->next : l.waiting.head; w != nullptr; w = w->next) {
      if (w->kind == letter_kind::waiting_here) {
        waiting_send& sender = *static_cast<envelope*>(w)->sender;
        if (sender.began() > began_by) {
          rest = std::min(rest, sender.began());
          return;
        }
        sender.has_become_old();
      }
      l.watched = w;
    }
  });
  crowded_ = rest != instant::max();
  return rest;
}

// The actors on the way.

needed_waits actor_core::needed() const noexcept {
  needed_waits found;
  if (phase_ != phase::running || finished_ || has_ready()) return found;
  const bool handles = receiver_ != nullptr;
  if (handles && (receiver_->most != 1 || !receiver_->full() || receiver_->role() != wait_role::alone))
    return found;
  std::size_t waits = 0;
  std::size_t may_receive = 0;
  const bool few = every_wait([&](const operation& o) {
    if (&o == receiver_) return true;
    if (++waits > needed_waits::most) return false;
    if (!handles && o.role() >= wait_role::leads_on) ++may_receive;
    if (o.role() == wait_role::rival || (o.what() != waits_to_send && o.what() != waits_for_reply))
      return true;
    const auto& wait = static_cast<const awaiting_receipt&>(o);
    if (wait.target() != nullptr) found.each[found.count++] = &wait;
    return true;
  });
  if (!few) return {};
  if (may_receive == 0) return found;
  // Then it is only stuck in the one that may, if that is all that may.
  const auto leads_on = [](const awaiting_receipt* w) { return w->role() == wait_role::leads_on; };
  const auto one = std::find_if(found.begin(), found.end(), leads_on);
  if (may_receive != 1 || one == found.end()) return {};
  needed_waits only;
  only.each[only.count++] = *one;
  return only;
}

/// May somebody of this node wait for it? Not with an empty mailbox and no request being handled.
bool actor_core::is_awaited() const noexcept {
  if (has_mail()) return true;
  if (receiver_ == nullptr) return false;
  for (const running_handler* h = receiver_->handlers; h != nullptr; h = h->next) {
    if (h->message->answer != nullptr && h->message->answer->peer == nullptr) return true;
  }
  return false;
}

std::string actor_core::mailbox_text() const {
  return "mailbox " + std::to_string(walk()) + " of " + std::to_string(box_.limit());
}

/// A wait of it has become old.
void actor_core::chase_wait(const awaiting_receipt& wait) noexcept {
  std::unique_ptr<chase> c;
  if (is_awaited() && needed().find(wait.ticket()) != nullptr) {
    c = std::make_unique<chase>();
    c->began = wait.began();
    c->path.push_back(step_of(*this, wait));
  }
  pass_on(std::move(c), order::chase, *wait.target());
}

/// The last on the path of `c` waits for this actor; null: somebody does whom nobody waits for.
void actor_core::follow(std::unique_ptr<chase> c) noexcept {
  if (receiver_ != nullptr && receiver_->only != nullptr) return check_selective();
  if (c == nullptr) return;
  const std::optional<priority> room = c->path.back().room;
  if (room && !box_.is_full(box_.lane_of(*room))) return;  // it waits for room of the node
  const needed_waits waits = needed();
  if (c->path.front().who == self()) {
    if (waits.find(c->path.front().ticket) != nullptr) confirm(std::move(c));
    return;
  }
  if (c->path.size() == chase::longest ||
      std::ranges::find(c->path, self(), &chase::step::who) != c->path.end())
    return;
  const auto older = [&](const awaiting_receipt* w) { return w->began() <= c->began; };
  auto branches = static_cast<unsigned>(std::ranges::count_if(waits, older));
  unsigned left = c->copies;
  for (const awaiting_receipt* const w : waits) {
    if (!older(w) || left == 0) continue;
    auto copy = std::make_unique<chase>(*c);
    copy->copies = std::max(1u, left / branches--);
    left -= copy->copies;
    copy->path.push_back(step_of(*this, *w));
    pass_on(std::move(copy), order::chase, *w->target());
  }
}

/// The second look: every actor of the cycle, in turn.
void actor_core::confirm(std::unique_ptr<chase> c) noexcept {
  const awaiting_receipt* const wait = needed().find(c->path[c->seen.size()].ticket);
  if (wait == nullptr || wait->is_handed_on()) return;
  const bool asks = wait->what() == waits_for_reply;
  c->seen.push_back({node_->path_of(*this),
                     "(" + mailbox_text() + ") " + (asks ? "asks" : "waits for room of"), place(*wait)});
  if (c->seen.size() != c->path.size()) {
    const address to = c->path[c->seen.size()].who;
    return pass_on(std::move(c), order::confirm, to);
  }
  if (node_->all_alarms().first_report(identity(*c))) node_->all_alarms().raise(describe(*c));
}

/// Somebody waits for this actor: does it only take what its mailbox has no room for?
void actor_core::check_selective() {
  receiver& r = *receiver_;
  if (r.limited || r.reported || r.full() || r.only == &value_type_of<down> || stopping() || has_ready() ||
      box_.drops())
    return;
  const mailbox_lane& lane = box_.lane_of(r.only->lane);
  if (!box_.is_full(lane) || !box_.all_scanned(lane)) return;
  if (!every_wait([&](const operation& o) { return &o == &r; })) return;
  r.reported = true;
  const wire_type* const wire = r.only->wire;
  const std::string wanted =
      wire != nullptr ? std::string(wire->schema.substr(0, wire->schema.find('{'))) : "one type of message";
  node_->all_alarms().raise("selective receive before a full mailbox: " + node_->path_of(*this) +
                            " waits for " + wanted + " at " + place(r) + ", and its " + mailbox_text() +
                            " holds others; " + std::to_string(box_.waiters()) + " senders wait");
}

}  // namespace troupe::detail
