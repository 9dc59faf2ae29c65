#include "supervision.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <troupe/actor.hpp>
#include <troupe/detail/checked.hpp>
#include <troupe/log.hpp>

#include "delivery.hpp"
#include "mailbox_steps.hpp"
#include "node_core.hpp"

namespace troupe::detail {
namespace {

constexpr std::uint32_t most_most_restarts = 65536;

std::string describe(const exit_reason& why) {
  if (why.kind == exit_kind::failed && !why.text.empty()) return why.text;
  return std::string(to_string(why.kind)) + (why.text.empty() ? "" : ": " + why.text);
}

std::string describe(duration d) {
  using namespace std::chrono;
  if (d % 1s == duration::zero()) return std::to_string(d / 1s) + " s";
  return std::to_string(ceil<milliseconds>(d).count()) + " ms";
}

void tell(actor_core& child, order what) { child.command(child.generation(), new control(what)); }

/// To a child that is down: it ends for good, for this reason.
void end_for_good(actor_core& child, exit_reason why) {
  auto* const c = new control(order::give_up);
  c->words = std::make_unique<last_words>();
  c->words->why = std::move(why);
  child.command(child.generation(), c);
}

}  // namespace

void check(const supervision& policy) noexcept {
  TROUPE_ASSERT(policy.most_restarts <= most_most_restarts, "supervision: at most 65536 restarts");
  TROUPE_ASSERT(policy.within > duration::zero(), "supervision: `within` must be longer than nothing");
  TROUPE_ASSERT(policy.backoff.first >= duration::zero() && policy.backoff.most >= policy.backoff.first,
                "supervision: a back-off goes from `first` up to `most`");
}

void supervise(actor_core& parent, const supervision& policy) { parent.supervising().follow(policy); }

// The child's side.

/// Stop and kill make an end final, and so does an order that came before.
bool actor_core::restarts(exit_kind how) const noexcept {
  if (mutated(mutant::no_restart)) return false;
  if (phase_ == phase::resting || !ties_ || !ties_->again || stopping() || node_->stopping()) return false;
  switch (how) {
    case exit_kind::failed:
    case exit_kind::linked: return true;
    case exit_kind::normal: return ties_->again->always;
    case exit_kind::stopped: return ties_->told_to_rest;
    default: return false;
  }
}

void actor_core::rest() noexcept {
  phase_ = phase::resting;
  end_next_child();
}

/// The last of its children has ended.
void actor_core::report_rest() noexcept {
  auto* const c = new control(order::rested);
  c->subject = this;
  c->words = std::make_unique<last_words>();
  c->words->why = {how_, std::exchange(ties_->exit_text, {})};
  c->words->who = label();
  parent()->command(parent()->generation(), c);
}

void actor_core::restart() noexcept {
  if (phase_ != phase::resting || finished_ || stopping()) return;
  try {
    frame_ = ties_->again->start(*this).frame;
  } catch (...) {  // of a start argument's copy
    actor_threw(*this, std::current_exception());
    finished_ = false;
    return report_rest();
  }
  if (mutated(mutant::forgetful_restart)) {
    while (envelope* const e = box_.take()) e->answer != nullptr ? discard(e, errc::no_reply) : finish(e);
  }
  ++kind_->restarts;
  how_ = exit_kind::normal;
  ties_->ends_when_stopped = false;
  ties_->drops_handlers_when_stopped = false;
  ties_->told_to_rest = false;
  phase_ = phase::running;
  home().resumed_at.store({}, std::memory_order_relaxed);
  home().resume(frame_);
  auto* const c = new control(order::restarted);
  c->subject = this;
  parent()->command(parent()->generation(), c);
}

supervisor& actor_core::supervising() {
  auto& keeper = ties().keeper;
  if (!keeper) {
    const bool of_node = this == &node_->root();
    keeper = std::make_unique<supervisor>(*this, of_node ? node_->options().supervision : supervision{});
  }
  return *keeper;
}

// The parent's side.

supervisor::supervisor(actor_core& parent, const supervision& policy) : parent_(parent), timer_(*this) {
  follow(policy);
}

void supervisor::follow(const supervision& policy) {
  check(policy);
  policy_ = policy;
}

/// In an orderly stop nothing restarts; a child that is down already ends when its turn comes.
bool supervisor::over() const noexcept { return parent_.stopping() || parent_.node().stopping(); }

void supervisor::restarted(const actor_core& child) {
  if (starting_ != &child) return;
  starting_ = nullptr;
  restart_due();
}

void supervisor::rested(actor_core& child, const last_words& words) {
  restarted(child);
  child.upkeep_ = upkeep::down;
  if (over()) return end_for_good(child, words.why);
  if (in_group(child)) return end_next_of_group();
  if (!spend(parent_.home().now())) return give_up(child, words);
  const duration pause = next_pause();
  if (policy_.strategy == strategy::one_for_one) return restart_after(child, pause);
  group_pause_ = pause;
  begin_group(child);
  end_next_of_group();
}

void supervisor::left(const actor_core& child) {
  std::erase_if(waiting_, [&](const waiting& w) { return w.child == &child; });
  restarted(child);
  end_next_of_group();
}

/// Takes one restart out of the budget; false when nothing is left.
bool supervisor::spend(instant now) {
  while (!restarts_.empty() && now - restarts_.front() >= policy_.within) restarts_.pop_front();
  if (restarts_.size() >= policy_.most_restarts) return false;
  restarts_.push_back(now);
  return true;
}

duration supervisor::next_pause() noexcept {
  duration pause = policy_.backoff.first;
  for (std::size_t i = 1; i < restarts_.size() && pause < policy_.backoff.most; ++i) pause *= 2;
  pause = std::min(pause, policy_.backoff.most);
  const auto most_jitter = static_cast<std::uint64_t>(pause.count() / 4);
  return pause + duration(static_cast<duration::rep>(parent_.node().world().random() % (most_jitter + 1)));
}

void supervisor::give_up(actor_core& child, const last_words& words) {
  const std::string text = "no restart left (" + std::to_string(policy_.most_restarts) + " within " +
                           describe(policy_.within) + "): " + describe(words.why);
  end_for_good(child, {exit_kind::failed, text});
  if (&parent_ == &parent_.node().root()) {
    log(log_level::error,
        parent_.node().identity().name + ": actor '" + words.who + "' is given up: " + text);
  } else {
    parent_.finished(exit_kind::failed, "child '" + words.who + "': " + text);
  }
}

// Groups.

bool supervisor::in_group(const actor_core& child) const noexcept {
  return child.birth_number_ >= first_ && child.birth_number_ <= last_;
}

void supervisor::begin_group(const actor_core& failed) {
  const std::uint64_t first = policy_.strategy == strategy::one_for_all ? 1 : failed.birth_number_;
  first_ = last_ != 0 ? std::min(first_, first) : first;
  last_ = parent_.ties_->youngest->birth_number_;
  std::erase_if(waiting_, [&](const waiting& w) { return in_group(*w.child); });
}

void supervisor::end_next_of_group() {
  if (last_ == 0 || over()) return;
  std::vector<actor_core*> down;
  for (actor_core* c = parent_.ties_->youngest; c != nullptr; c = c->elder_) {
    if (!in_group(*c)) continue;
    if (c->upkeep_ == upkeep::down) {
      down.push_back(c);
      continue;
    }
    if (!c->restartable_ && &parent_ == &parent_.node().root()) continue;
    if (std::exchange(c->upkeep_, upkeep::ending) == upkeep::ending) return;
    if (c->restartable_) return tell(*c, order::rest);
    auto* const stop = new control(order::stop);
    stop->deadline = parent_.node().stop_by(parent_.home().now());
    return c->command(c->generation(), stop);
  }
  first_ = last_ = 0;
  for (auto c = down.rbegin(); c != down.rend(); ++c) restart_after(**c, group_pause_);
}

// Restarts.

void supervisor::restart_after(actor_core& child, duration pause) {
  waiting_.push_back({&child, parent_.home().now() + pause});
  restart_due();
}

/// One at a time: the next starts when this one has first suspended.
void supervisor::restart_due() noexcept {
  if (over() || starting_ != nullptr || waiting_.empty()) return;
  const instant now = parent_.home().now();
  const auto due =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const waiting& w) { return w.due <= now; });
  if (due == waiting_.end()) {
    const auto next = std::min_element(waiting_.begin(), waiting_.end(),
                                       [](const auto& a, const auto& b) { return a.due < b.due; });
    return parent_.home().timers().arm(timer_, next->due);
  }
  starting_ = due->child;
  starting_->upkeep_ = upkeep::up;
  tell(*starting_, order::restart);
  waiting_.erase(due);
}

}  // namespace troupe::detail
