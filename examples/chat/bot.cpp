#include "chat/bot.hpp"

#include <algorithm>
#include <deque>
#include <troupe/log.hpp>
#include <troupe/node.hpp>
#include <utility>
#include <vector>

#include "chat/tick.hpp"

namespace chat {
namespace {

std::int64_t now_ns() { return troupe::os_env().now().time_since_epoch().count(); }

/// The times of the last lines.
class stopwatch {
 public:
  void add(std::int64_t ns) {
    if (last_.size() == most) last_.pop_front();
    last_.push_back(ns);
  }
  std::int64_t percentile(unsigned p) const {
    if (last_.empty()) return 0;
    std::vector<std::int64_t> sorted(last_.begin(), last_.end());
    std::ranges::sort(sorted);
    return sorted[(sorted.size() - 1) * p / 100];
  }

 private:
  static constexpr std::size_t most = 512;
  std::deque<std::int64_t> last_;
};

troupe::actor run_talker(troupe::self<troupe::protocol<>> self, troupe::ref<room> where, troupe::ref<bot> who,
                         bot_plan plan) {
  const std::int64_t start = now_ns();
  const double period = plan.rate > 0 ? 1e9 / plan.rate : 0;
  for (std::uint64_t n = 1; n <= plan.lines; ++n) {
    // By the start, not by the line before: a late line does not make all the others late.
    const auto due = start + static_cast<std::int64_t>(period * static_cast<double>(n));
    co_await self.sleep(std::chrono::nanoseconds(due - now_ns()));
    const tick t{n, now_ns()};
    std::string text = tick_text(t, plan.length);
    const auto said = co_await where.send<say>(who, troupe::give(text));
    if (!said) co_return;
    co_await who.send<spoke>();
  }
}

}  // namespace

troupe::actor run_bot(troupe::self<bot> self, troupe::ref<room> where, bot_plan plan) {
  const auto in = co_await where.ask<join>(plan.name, self.me());
  if (!in || !in->in) {
    troupe::log(troupe::log_level::error,
                "the room does not let " + plan.name + " in: " + (in ? in->text : in.error().text()));
    co_return;
  }
  self.monitor(where);
  bot_report seen;
  tick_book book;
  stopwatch own_lines;
  troupe::ref<> talker;
  const auto talk = [&] {
    if (talker) self.node().kill(talker);
    talker = self.spawn(run_talker, where, self.me(), plan);
  };
  if (plan.cue.empty()) talk();
  co_await self.serve(
      [&](const line& l) {
        seen.missed += l.missed;
        book.missed(l.missed);
        if (l.kind != line_kind::said && l.kind != line_kind::own) return;
        if (const auto t = parse_tick(l.text)) {
          book.heard(l.from, *t);
          if (l.kind == line_kind::own) own_lines.add(now_ns() - t->at);
          if (l.kind == line_kind::own) ++seen.own;
        } else if (!plan.cue.empty() && l.text == plan.cue) {
          seen = bot_report{.cues = seen.cues + 1};
          book = tick_book(listens::from_the_first);  // the cue is for when all are in
          talk();
        }
      },
      [&](const spoke&) { ++seen.said; },
      [&](const report&) {
        seen.heard = book.heard();
        seen.disorder = book.disorder();
        seen.latency_p50 = own_lines.percentile(50);
        seen.latency_p99 = own_lines.percentile(99);
        return seen;
      },
      [&](const troupe::down& d) {
        troupe::log(troupe::log_level::info, "the room has ended: " + std::string(to_string(d.reason.kind)));
        seen.in = false;
      });
  if (talker) self.node().kill(talker);  // it sleeps most of the time, and a stop would not end that
}

}  // namespace chat
