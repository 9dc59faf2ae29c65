// Looking at a node: each worker lists its own actors between two turns, and the caller puts the tree together.
#include <troupe/inspect.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>

#include "control.hpp"
#include "mailbox_steps.hpp"
#include "node_core.hpp"
#include "peers.hpp"
#include "slots.hpp"

namespace troupe {

namespace detail {
namespace {

constexpr std::size_t most_waits_told = 4;

struct seen_actor {
  actor_info info;
  std::uint32_t generation;
  std::uint64_t messages_out;
  instant at;
};

struct snapshot {
  std::map<std::uint32_t, seen_actor> seen;  // by slot
  std::map<std::string, kind_info> kinds;
  std::uint64_t left_out = 0;
  std::vector<bool> answered;
};

/// Shared with the workers: one that answers late finds it still there.
struct collection {
  waiting_room room;
  snapshot all;  // under its guard
};

void add(kind_info& sum, const kind_info& k) {
  sum.spawned += k.spawned;
  sum.restarts += k.restarts;
  sum.messages += k.messages;
  for (std::size_t i = 0; i < exit_kinds; ++i) sum.ended[i] += k.ended[i];
}

void list(node_core& node, collection& into, unsigned index) {
  const kind_census& census = node.state(index).kinds;
  std::map<std::uint32_t, seen_actor> own;
  std::map<std::string, kind_info> kinds;
  std::uint64_t left_out = 0;
  for (const kind_info& k : census.all()) add(kinds[k.kind], k);
  for (std::uint32_t slot = 0; slot < node.all_slots().count(); ++slot) {
    const actor_core& core = *node.all_slots().find(slot);
    if (!core.lives_on.is(&node.workers().at(index)) || !core.lives()) continue;
    kinds[core.kind().kind].messages += core.messages_out();
    if (own.size() >= node_info::most_actors) {
      ++left_out;
      continue;
    }
    own.emplace(slot, seen_actor{core.look(), core.generation(), core.messages_out(), core.home().now()});
  }
  const std::lock_guard lock(into.room.guard);
  into.all.seen.merge(own);
  for (const auto& [name, k] : kinds) add(into.all.kinds[name], k);
  into.all.left_out += left_out;
  into.all.answered[index] = true;
  into.room.notify_all();
}

snapshot collect(node_core& node, bool stopped, duration patience) {
  const auto shared = std::make_shared<collection>();
  const unsigned workers = node.workers().size();
  shared->all.answered.resize(workers);
  for (unsigned i = 0; i < workers; ++i) {
    if (stopped) {
      list(node, *shared, i);
    } else {
      node.workers().at(i).post([&node, shared, i](worker&) { list(node, *shared, i); });
    }
  }
  std::unique_lock lock(shared->room.guard);
  const std::vector<bool>& answered = shared->all.answered;
  const auto all_have = [&] { return std::ranges::find(answered, false) == answered.end(); };
  shared->room.wait(node.world(), lock, all_have, node.world().now() + patience);
  return shared->all;
}

double per_second(std::int64_t messages, duration over) {
  return static_cast<double>(messages) / std::chrono::duration<double>(over).count();
}

mailbox_rates rates_of(const seen_actor& before, const seen_actor& now) {
  const duration over = now.at - before.at;
  const auto out = static_cast<std::int64_t>(now.messages_out - before.messages_out);
  const auto growth = static_cast<std::int64_t>(now.info.mailbox - before.info.mailbox);
  mailbox_rates r{per_second(out + growth, over), per_second(out, over), std::nullopt};
  if (now.info.mailbox == 0) r.drains_in = duration::zero();
  if (now.info.mailbox != 0 && growth < 0) {
    const double seconds = static_cast<double>(now.info.mailbox) / -per_second(growth, over);
    r.drains_in = std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
  }
  return r;
}

}  // namespace

std::string actor_core::doing() const {
  switch (phase_) {
    case phase::free: return "has ended";
    case phase::starting: return "has not run yet";
    case phase::resting: return "waits for its restart";
    case phase::ending: return "ends";
    case phase::running: break;
  }
  if (has_ready()) return "is ready to run";
  std::string text;
  std::size_t told = 0;
  each_wait([&](const operation& o) {
    if (++told > most_waits_told) return;
    text += (told > 1 ? ", " : "") + std::string(o.what()) + " at " + o.at().file_name() + ":" +
            std::to_string(o.at().line());
  });
  if (told > most_waits_told) text += " and " + std::to_string(told - most_waits_told) + " more";
  return text;
}

actor_info actor_core::look() const {
  actor_info info;
  info.path = node_->path_of(*this);
  info.kind = kind_->kind;
  info.doing = doing();
  info.worker = home().index();
  info.mailbox = walk();
  info.limit = box_.limit();
  info.waiting = box_.waiters();
  box_.each_lane([&](const mailbox_lane& l) {
    if (l.messages.head == nullptr) return;
    const duration age = age_of(static_cast<const envelope*>(l.messages.head)->queued_at, home().now());
    info.oldest = std::max(info.oldest, age);
  });
  return info;
}

node_info node_core::inspect(const inspect_options& how) {
  TROUPE_ASSERT(here() == nullptr, "inspect a node from a thread that is not one of its workers");
  const auto look = [&] {
    const std::lock_guard no_stop(books_guard_);
    return collect(*this, stopped_, how.patience);
  };
  snapshot before;
  if (how.over > duration::zero()) {
    before = look();
    std::unique_lock lock(ending_.guard);
    ending_.wait(world(), lock, [&] { return stopped_; }, world().now() + how.over);
  }
  snapshot now = look();

  node_info info;
  info.name = identity_.name;
  info.actors_left_out = now.left_out;
  for (auto& [slot, actor] : now.seen) {
    if (info.actors.size() >= node_info::most_actors) {
      ++info.actors_left_out;
      continue;
    }
    const auto then = before.seen.find(slot);
    if (then != before.seen.end() && then->second.generation == actor.generation &&
        actor.at > then->second.at)
      actor.info.rates = rates_of(then->second, actor);
    info.actors.push_back(std::move(actor.info));
  }
  std::ranges::sort(info.actors, {}, &actor_info::path);
  for (auto& [name, k] : now.kinds) {
    info.kinds.push_back(std::move(k));
    info.kinds.back().kind = name;
  }
  for (unsigned i = 0; i < scheduler_->size(); ++i) {
    if (now.answered[i]) continue;
    const actor_core* const holder = states_[i]->shown.actor();
    info.busy_workers.push_back(i);
    info.holders.push_back(holder != nullptr ? path_of(*holder) : "");
  }
  info.links = peers_->links();
  if (info.busy_workers.empty()) info.books = sum_books();
  info.alarms = alarms_.last();
  info.alarms_total = alarms_.total();
  return info;
}

}  // namespace detail

std::uint64_t kind_info::live() const noexcept {
  return spawned - std::accumulate(ended.begin(), ended.end(), std::uint64_t{0});
}

namespace {

std::string in_milliseconds(duration d) { return std::to_string(d / std::chrono::milliseconds(1)) + " ms"; }

std::string text_of(const actor_info& a) {
  std::string line = a.path + " (worker " + std::to_string(a.worker) + ") " + a.doing;
  if (a.mailbox != 0) line += ", mailbox " + std::to_string(a.mailbox) + " of " + std::to_string(a.limit);
  if (a.waiting != 0) line += ", " + std::to_string(a.waiting) + " senders wait";
  if (a.mailbox != 0) line += ", oldest message " + in_milliseconds(a.oldest);
  if (a.rates && (a.rates->in > 0 || a.rates->out > 0 || a.mailbox != 0)) {
    line += ", " + std::to_string(std::llround(a.rates->in)) + "/s in, " +
            std::to_string(std::llround(a.rates->out)) + "/s out";
    if (a.mailbox != 0)
      line += a.rates->drains_in ? ", drains in " + in_milliseconds(*a.rates->drains_in) : ", never drains";
  }
  return line;
}

std::string text_of(const kind_info& k) {
  std::string line = k.kind + ": " + std::to_string(k.live()) + " live, " + std::to_string(k.spawned) +
                     " spawned, " + std::to_string(k.messages) + " messages";
  if (k.restarts != 0) line += ", " + std::to_string(k.restarts) + " restarts";
  for (std::size_t i = 0; i < k.ended.size(); ++i) {
    if (k.ended[i] == 0) continue;
    line += ", " + std::to_string(k.ended[i]) + " " + std::string(to_string(static_cast<exit_kind>(i)));
  }
  return line;
}

}  // namespace

std::string node_info::text() const {
  std::string out = "node " + name + ": " + std::to_string(actors.size() + actors_left_out) + " actors\n";
  for (const actor_info& a : actors) out += "  " + text_of(a) + "\n";
  if (actors_left_out != 0) out += "  and " + std::to_string(actors_left_out) + " more\n";
  for (std::size_t i = 0; i < busy_workers.size(); ++i) {
    const std::string& holder = holders[i];
    out += "  worker " + std::to_string(busy_workers[i]) +
           " does not answer: " + (holder.empty() ? "an actor" : holder) +
           " holds it; its actors are not shown\n";
  }
  for (const kind_info& k : kinds) out += "  kind " + text_of(k) + "\n";
  for (const link_info& l : links) {
    out += "  link " + l.node + ": " + l.lane + " (" + l.why + "), " + std::to_string(l.frames_out) +
           " frames out, " + std::to_string(l.frames_in) + " in" + (l.stalled ? ", stalled" : "") +
           (l.suspended ? ", without a connection" : "") +
           (l.resumed != 0 ? ", resumed " + std::to_string(l.resumed) + " times" : "") + "\n";
  }
  if (busy_workers.empty()) out += "  books: " + books.text() + "\n";
  if (alarms_total > alarms.size())
    out += "  " + std::to_string(alarms_total) + " alarms, the last of them:\n";
  for (const std::string& a : alarms) out += "  alarm: " + a + "\n";
  return out;
}

}  // namespace troupe
