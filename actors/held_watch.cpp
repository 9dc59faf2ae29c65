#include "held_watch.hpp"

#include <string>
#include <utility>

#include <troupe/detail/actor_core.hpp>

#include "node_core.hpp"

namespace troupe::detail {

void held_watch::start(duration allowed) {
  if (allowed <= duration::zero()) return;
  allowed_ = allowed;
  seen_.resize(node_.workers().size());
  thread_ = std::thread([this] { observe(); });
}

void held_watch::stop() noexcept {
  {
    const std::lock_guard lock(guard_);
    over_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void held_watch::wake() noexcept {
  const std::lock_guard lock(guard_);
  parked_.store(false, std::memory_order_relaxed);
  changed_.notify_all();
}

void held_watch::observe() {
  for (;;) {
    const bool active = look();
    std::unique_lock lock(guard_);
    const bool second_quiet_look = !active && parked_.load(std::memory_order_relaxed);
    parked_.store(!active, std::memory_order_relaxed);
    const auto woken = [&] { return over_ || (!active && !parked_.load(std::memory_order_relaxed)); };
    if (second_quiet_look) {
      changed_.wait(lock, woken);
    } else {
      changed_.wait_for(lock, allowed_ / 2, woken);
    }
    if (over_) return;
  }
}

/// False if no actor has run since the last look.
bool held_watch::look() {
  bool any = false;
  const instant now = node_.world().now();
  const bool late = now - std::exchange(looked_, now) > allowed_;
  for (unsigned w = 0; w < seen_.size(); ++w) {
    const activity& a = node_.state(w).activity;
    observed& seen = seen_[w];
    const std::uint64_t runs = a.runs();
    const std::uint64_t taken = node_.state(w).count.get(entry::taken);
    if (runs != seen.runs) {
      seen = {runs, taken, now, false};
      any = true;
      continue;
    }
    if (late || std::exchange(seen.taken, taken) != taken) seen.since = now;
    const actor_core* const who = a.actor();
    if (who == nullptr) continue;
    any = true;
    if (seen.told || now - seen.since < allowed_) continue;
    seen.told = true;
    report(w, runs, *who, now - seen.since);
  }
  return any;
}

void held_watch::report(unsigned worker, std::uint64_t run, const actor_core& who, duration held) {
  const std::source_location at = node_.workers().at(worker).resumed_at.load(std::memory_order_relaxed);
  std::string line = node_.path_of(who) + " has held worker " + std::to_string(worker) + " for " +
                     std::to_string(held / std::chrono::milliseconds(1)) + " ms (";
  line += at.line() != 0
              ? "last awaited at " + std::string(at.file_name()) + ":" + std::to_string(at.line()) + ")"
              : "it has not awaited anything yet)";
  // If that run is over by now, somebody else may be in the slot.
  if (node_.state(worker).activity.runs() == run && node_.state(worker).activity.actor() == &who)
    node_.all_alarms().raise(std::move(line));
}

}  // namespace troupe::detail
