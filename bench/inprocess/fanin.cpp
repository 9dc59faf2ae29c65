// Many actors send numbers to one, which sums them. The cost of a message must not depend on how many send.
#include <optional>
#include <string>

#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

constexpr std::uint64_t full_count = 5'000'000;

/// The sum, as soon as so many numbers have come.
struct sum_of {
  using reply = std::int64_t;
  std::uint64_t count;
};
using gathering = troupe::protocol<number, sum_of>;

troupe::actor run_gatherer(troupe::self<gathering> me) {
  std::int64_t sum = 0;
  std::uint64_t came = 0;
  std::uint64_t wanted = ~std::uint64_t{0};
  std::optional<troupe::replier<std::int64_t>> asker;
  co_await me.serve(
      [&](number n) {
        sum += n.value;
        if (++came == wanted) asker->reply(sum);
      },
      [&](sum_of all, troupe::replier<std::int64_t> reply) {
        wanted = all.count;
        asker.emplace(std::move(reply));
        if (came == wanted) asker->reply(sum);
      });
}

troupe::actor run_sender(troupe::self<nothing>, troupe::ref<number> to, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) co_await to.send<number>(i);
}

troupe::actor run_fanin(troupe::self<nothing> me, report done, setting how, unsigned senders) {
  const auto gatherer = me.spawn(run_gatherer);
  const std::uint64_t each = how.times(full_count) / senders + 1;
  const stopwatch watch;
  for (unsigned i = 0; i < senders; ++i) me.spawn(run_sender, gatherer, each);
  const auto sum = co_await gatherer.ask<sum_of>(each * senders).within(std::chrono::minutes(5));
  const double rate = watch.millions_per_second(each * senders);
  check(sum && *sum == senders * sum_below(each), "fanin: the sum is wrong");
  done->set_value(rate);
}

/// By hand each sender has a queue of its own, and the gatherer goes round.
using queue = by_hand::mailbox<std::int64_t, 64>;
using queues = std::vector<std::unique_ptr<queue>>;

by_hand::routine gather_by_hand(queues& in, std::uint64_t count, std::int64_t& sum) {
  for (std::uint64_t i = 0; i < count; ++i) {
    for (auto& from : in) sum += co_await from->pop();
  }
}
by_hand::routine send_by_hand(queue& out, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) co_await out.push(static_cast<std::int64_t>(i));
}
double fanin_by_hand(const setting& how, unsigned senders) {
  const std::uint64_t each = how.times(full_count) / senders + 1;
  by_hand::run_list all;
  queues between;
  for (unsigned i = 0; i < senders; ++i) between.push_back(std::make_unique<queue>(all));
  std::int64_t sum = 0;
  const stopwatch watch;
  const auto gatherer = gather_by_hand(between, each, sum);
  std::vector<by_hand::routine> sending;
  for (auto& q : between) sending.push_back(send_by_hand(*q, each));
  all.run();
  const double rate = watch.millions_per_second(each * senders);
  check(sum == senders * sum_below(each), "fanin: the sum is wrong");
  return rate;
}

void add(cases& all, const std::string& name, unsigned workers, unsigned senders) {
  all.push_back({name, workers, placement::free, "M/s",
                 [senders](const setting& how) { return on_a_node(how, run_fanin, senders); },
                 [senders](const setting& how) { return fanin_by_hand(how, senders); }, senders});
}

}  // namespace

void add_fanin(cases& all) {
  add(all, "fanin", 1, 100);
  add(all, "fanin", 2, 100);
  for (const unsigned senders : {1u, 10u, 1000u}) add(all, "fanin_" + std::to_string(senders), 2, senders);
}

}  // namespace bench
