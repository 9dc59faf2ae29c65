// A stream of three types of message, while 100,000 other actors are there and wait.
#include <string>
#include <variant>

#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

constexpr std::uint64_t full_count = 3'000'000;
constexpr unsigned others = 100'000;

struct pair {
  std::int64_t first;
  std::int64_t second;
};
struct word {
  std::string text;
};
using all_three = troupe::protocol<number, pair, word, total>;

troupe::actor run_mixed_sink(troupe::self<all_three> me) {
  std::int64_t sum = 0;
  co_await me.serve([&](number n) { sum += n.value; }, [&](pair p) { sum += p.first + p.second; },
                    [&](const word& w) { sum += static_cast<std::int64_t>(w.text.size()); },
                    [&](total) { return sum; });
}
troupe::actor run_idle(troupe::self<number> me) {
  co_await me.serve([](number) {});
}
troupe::actor run_mixed_source(troupe::self<nothing> me, report done, setting how) {
  for (unsigned i = 0; i < others; ++i) me.spawn(run_idle);
  const auto sink = me.spawn(run_mixed_sink);
  (void)co_await sink.ask<total>().within(std::chrono::minutes(1));  // all have begun
  const std::uint64_t count = how.times(full_count);
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; i += 3) {
    co_await sink.send<number>(1);
    co_await sink.send<pair>(1, 1);
    co_await sink.send<word>("ten bytes.");
  }
  const auto sum = co_await sink.ask<total>().within(std::chrono::minutes(5));
  const std::uint64_t rounds = (count + 2) / 3;
  const double rate = watch.millions_per_second(3 * rounds);
  check(sum && *sum == 13 * static_cast<std::int64_t>(rounds), "mixed: the sum is wrong");
  done->set_value(rate);
}

using any = std::variant<number, pair, word>;
using queue = by_hand::mailbox<any>;

by_hand::routine take_any(queue& in, std::uint64_t count, std::int64_t& sum) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const any item = co_await in.pop();
    if (const auto* const n = std::get_if<number>(&item)) sum += n->value;
    if (const auto* const p = std::get_if<pair>(&item)) sum += p->first + p->second;
    if (const auto* const w = std::get_if<word>(&item)) sum += static_cast<std::int64_t>(w->text.size());
  }
}
by_hand::routine send_any(queue& out, std::uint64_t rounds) {
  for (std::uint64_t i = 0; i < rounds; ++i) {
    co_await out.push(number{1});
    co_await out.push(pair{1, 1});
    any text(std::in_place_type<word>, std::string("ten bytes."));
    co_await out.push(std::move(text));
  }
}
double mixed_by_hand(const setting& how) {
  const std::uint64_t rounds = (how.times(full_count) + 2) / 3;
  return by_hand::stream_rate<any>(
      3 * rounds, 13 * static_cast<std::int64_t>(rounds), [=](auto& out) { return send_any(out, rounds); },
      [=](auto& in, std::int64_t& sum) { return take_any(in, 3 * rounds, sum); });
}

}  // namespace

void add_mixed(cases& all) {
  all.push_back({"mixed", 1, placement::free, "M/s",
                 [](const setting& how) { return on_a_node(how, run_mixed_source); }, mixed_by_hand});
}

}  // namespace bench
