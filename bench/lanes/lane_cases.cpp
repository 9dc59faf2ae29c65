#include "lane_cases.hpp"

#include <future>
#include <memory>
#include <string>

#include "packet.hpp"
#include "two_processes.hpp"

namespace bench {

// Not in the anonymous namespace: they have names on the wire.
namespace lanes {
/// A packet; the codec knows no plain arrays.
struct parcel {
  std::int64_t value;
  std::int64_t a, b, c, d, e, f, g;
};
struct total {
  using reply = std::int64_t;
};
struct return_to {
  troupe::ref<parcel> whom;
};
using far_protocol = troupe::protocol<parcel, total, return_to>;
}  // namespace lanes
using namespace lanes;

namespace {

using nothing = troupe::protocol<>;
using report = std::shared_ptr<std::promise<double>>;

/// Sums what comes, and sends it back if it was told to whom.
troupe::actor run_far(troupe::self<far_protocol> me) {
  co_await me.node().publish("far", me.me());
  std::int64_t sum = 0;
  troupe::ref<parcel> back;
  const auto take = [&](parcel p) -> troupe::task<void> {
    sum += p.value;
    if (back) co_await back.send<parcel>(p.value, 0, 0, 0, 0, 0, 0, 0);
  };
  const auto tell = [&](total) { return sum; };
  const auto turn = [&](return_to r) { back = r.whom; };
  co_await me.serve(take, tell, turn);
}

/// Runs `near` in an actor of this process, with the address of a node in another.
template <class F>
double with_far(troupe::lane_choice lane, F near, const setting& how) {
  const far_side far([&](auto tell) {
    auto node =
        troupe::node::start({.name = "far", .listen = {"tcp://127.0.0.1:0"}, .workers = 1, .lanes = lane});
    if (!node) check(false, node.error().text.c_str());
    node->spawn(run_far);
    tell(node->endpoints().front());
    for (;;) pause();
  });
  auto node = troupe::node::start({.name = "near", .workers = 1, .lanes = lane});
  if (!node) check(false, node.error().text.c_str());
  const report done = std::make_shared<std::promise<double>>();
  auto value = done->get_future();
  node->spawn(near, far.told(), done, how);
  return value.get();
}

troupe::actor run_near_stream(troupe::self<nothing> me, std::string url, report done, setting how) {
  co_await me.node().join(url);
  const auto far = co_await me.node().lookup<far_protocol>("far").within(std::chrono::seconds(10));
  check(far.has_value(), "the other node is not there");
  const std::uint64_t count = how.times(full_lane_stream);
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) co_await far->send<parcel>(i, 0, 0, 0, 0, 0, 0, 0);
  const auto sum = co_await far->ask<total>().within(std::chrono::minutes(5));
  const double rate = watch.millions_per_second(count);
  check(sum && *sum == sum_below(count), "stream: the sum is wrong");
  done->set_value(rate);
}

troupe::actor run_near_pingpong(troupe::self<parcel> me, std::string url, report done, setting how) {
  co_await me.node().join(url);
  const auto far = co_await me.node().lookup<far_protocol>("far").within(std::chrono::seconds(10));
  check(far.has_value(), "the other node is not there");
  co_await far->send<return_to>(me.me());
  const std::uint64_t rounds = how.times(full_lane_rounds);
  std::int64_t sum = 0;
  const auto take = [&](const parcel& p) { sum += p.value; };
  const stopwatch watch;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    co_await far->send<parcel>(i, 0, 0, 0, 0, 0, 0, 0);
    (void)co_await me.receive(take);
  }
  const double each = watch.ns_each(rounds);
  check(sum == sum_below(rounds), "pingpong: the sum is wrong");
  done->set_value(each);
}

}  // namespace

void add_lane_cases(cases& all, troupe::lane_choice lane, bench_case::measure raw_pingpong,
                    bench_case::measure raw_stream) {
  all.push_back({"pingpong", 1, placement::free, "ns",
                 [lane](const setting& how) { return with_far(lane, run_near_pingpong, how); },
                 std::move(raw_pingpong)});
  all.push_back({"stream", 1, placement::free, "M/s",
                 [lane](const setting& how) { return with_far(lane, run_near_stream, how); },
                 std::move(raw_stream)});
}

}  // namespace bench
