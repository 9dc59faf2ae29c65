#include "held_watch.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <troupe/detail/actor_core.hpp>

#include "node_core.hpp"

namespace troupe::detail {
namespace {

constexpr duration late_after = 10 * held_watch::slice;

}  // namespace

void held_watch::start(duration allowed) {
  allowed_ = allowed;
  seen_.resize(node_.workers().size());
  thread_ = node_.world().run_beside([this] { observe(); });
}

void held_watch::stop() noexcept {
  {
    const std::lock_guard lock(room_.guard);
    over_ = true;
    room_.notify_all();
  }
  thread_.reset();
}

void held_watch::wake() noexcept {
  const std::lock_guard lock(room_.guard);
  park_.wake();
  room_.notify_all();
}

void held_watch::observe() {
  for (unsigned quiet = 0;;) {
    watch_park::before_look();
    quiet = look() ? 0 : quiet + 1;
    std::unique_lock lock(room_.guard);
    const bool sleeps = park_.next_wait(quiet);
    const auto woken = [&] { return over_ || park_.woken(); };
    env& world = node_.world();
    room_.wait(world, lock, woken, sleeps ? instant::max() : world.now() + slice);
    if (over_) return;
  }
}

/// False if no actor has run since the last look.
bool held_watch::look() {
  bool any = false;
  const instant now = node_.world().now();
  const bool late = now - std::exchange(looked_, now) > late_after;
  for (unsigned w = 0; w < seen_.size(); ++w) {
    activity& shown = node_.state(w).shown;
    observed& seen = seen_[w];
    const std::uint64_t run = shown.runs();
    if (run != seen.run) {
      seen = {run};
      any = true;
      continue;
    }
    const actor_core* const who = shown.actor();
    if (who == nullptr) continue;
    any = true;
    shown.use_up_slice(run);
    if (allowed_ > duration::zero() && !seen.told) suspect(w, *who, now, late);
  }
  return any;
}

/// Its run has gone on for longer than a slice.
void held_watch::suspect(unsigned worker, const actor_core& who, instant now, bool late) {
  observed& seen = seen_[worker];
  const std::int32_t thread = node_.workers().at(worker).thread.load(std::memory_order_relaxed);
  const thread_times times = node_.world().times_of(thread);
  if (seen.since == instant{}) seen.since = seen.looked = now;
  if (seen.looked != now && !late) {
    // Whether it runs or waits for a processor now the kernel does not say: so of a thread that is ready counts what it ran.
    const duration held =
        times.ready ? times.ran - seen.then.ran : now - seen.looked - (times.waited - seen.then.waited);
    // What it ran may be told a tick late, and so some that was before.
    seen.held = std::min(seen.held + std::max(held, duration::zero()), now - seen.since);
  }
  seen.looked = now;
  seen.then = times;
  if (seen.held < allowed_) return;
  seen.told = true;
  report(worker, who, seen.held);
}

void held_watch::report(unsigned worker, const actor_core& who, duration held) {
  const std::source_location at = node_.workers().at(worker).resumed_at.load(std::memory_order_relaxed);
  std::string line = node_.path_of(who) + " has held worker " + std::to_string(worker) + " for " +
                     std::to_string(held / std::chrono::milliseconds(1)) + " ms (";
  line += at.line() != 0
              ? "last awaited at " + std::string(at.file_name()) + ":" + std::to_string(at.line()) + ")"
              : "it has not awaited anything yet)";
  // If that run is over by now, somebody else may be in the slot.
  const activity& shown = node_.state(worker).shown;
  if (shown.runs() == seen_[worker].run && shown.actor() == &who) node_.all_alarms().raise(std::move(line));
}

}  // namespace troupe::detail
