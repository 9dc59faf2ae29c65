// Memory that two processes share: a market lends its history, to be read where it lies, and shows its quote in a cell.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <troupe/troupe.hpp>

using namespace std::chrono_literals;
using cents = std::int64_t;
constexpr cents days = 1'000'000;

struct quote {
  std::int64_t number = 0;
  cents bid = 0;
  cents ask = 2;  // always 2 more than the bid of the same quote
};
struct feed {
  troupe::bulk history;
  troupe::cell_reader<quote> now;
};
struct subscribe {
  using reply = feed;
};
struct trade {};
struct crash {};
using market = troupe::protocol<subscribe, trade, crash>;

troupe::actor run_market(troupe::self<market> me) {
  auto memory = me.loan(days * sizeof(cents));
  auto now = me.make_cell(quote());
  if (!memory || !now) co_return;
  auto* const prices = reinterpret_cast<cents*>(memory->bytes().data());
  for (cents day = 0; day < days; ++day) prices[day] = day;
  const troupe::bulk history = std::move(*memory).seal();  // from now on nobody writes it
  quote q;
  me.every<trade>(100us, me.me());
  co_await me.node().publish("market", me.me());
  co_await me.serve([&](subscribe) { return feed{history, now->reader()}; },
                    [&](trade) { now->set(q = {q.number + 1, q.bid + 1, q.ask + 1}); },
                    [](crash) { std::raise(SIGKILL); });
}

/// For who does not trust the market: what was copied stays as it was checked.
bool is_sane(const troupe::bulk& prices) {
  cents some[1000];
  for (std::size_t at = 0; at < prices.size(); at += sizeof some) {
    prices.read(at, std::as_writable_bytes(std::span(some)));
    if (std::ranges::any_of(some, [](cents price) { return price < 0; })) return false;
  }
  return prices.size() == days * sizeof(cents);
}

/// In place: these are the market's own bytes.
cents highest(const troupe::bulk& prices) {
  const auto* const first = reinterpret_cast<const cents*>(prices.trusted_bytes().data());
  return *std::max_element(first, first + days);
}

troupe::task<int> start(troupe::node& node, troupe::arguments given) {
  if (!given.empty()) node.spawn(run_market);
  while (!given.empty()) co_await troupe::sleep_operation(1h);  // until it is asked to end
  const troupe::program itself{.path = "/proc/self/exe", .arguments = {"market"}};
  const troupe::ref<market> there = node.spawn(troupe::run_service<market>, itself, "market");
  const auto got = co_await there.ask<subscribe>().within(20s);
  if (!got || !is_sane(got->history)) co_return 1;
  std::printf("the highest price of the market: %lld\n", static_cast<long long>(highest(got->history)));
  quote last;
  for (int looks = 0; looks < 20'000 && last.number < 1000 && last.ask == last.bid + 2; ++looks) {
    last = got->now.get().value();
    co_await troupe::sleep_operation(1ms);
  }
  if (last.number < 1000 || last.ask != last.bid + 2) co_return 1;
  std::puts("its quote was looked at until it was number 1000, and was always whole");
  (void)co_await there.send<crash>();
  const auto gone = co_await there.ask<subscribe>().within(20s);
  if (gone || highest(got->history) != days - 1 || got->now.get()->number < last.number) co_return 1;
  std::puts("it was killed, and what it has lent is still there");
  co_return 0;
}

int main(int argc, char** argv) { return troupe::run(argc, argv, start); }
