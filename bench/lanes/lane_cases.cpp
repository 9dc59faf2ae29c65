#include "lane_cases.hpp"

#include <algorithm>
#include <cstring>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "key_folder.hpp"
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
/// Of any size.
struct load {
  std::int64_t value;
  std::vector<std::uint8_t> bytes;
};
/// Of any size, and lent where that is possible.
struct sheet {
  std::int64_t value;
  troupe::bulk bytes;
};
struct total {
  using reply = std::int64_t;
};
struct return_to {
  troupe::ref<parcel> whom;
};
using far_protocol = troupe::protocol<parcel, load, sheet, total>;
using mirror_protocol = troupe::protocol<parcel, return_to>;
}  // namespace lanes
using namespace lanes;

namespace {

using nothing = troupe::protocol<>;
using report = std::shared_ptr<std::promise<double>>;

/// Sums what comes.
troupe::actor run_far(troupe::self<far_protocol> me, std::string name) {
  co_await me.node().publish(name, me.me());
  std::int64_t sum = 0;
  const auto take = [&](const parcel& p) { sum += p.value; };
  const auto take_load = [&](const load& l) { sum += l.value + l.bytes.back(); };
  const auto take_sheet = [&](const sheet& s) { sum += s.value + sum_of_pages(s.bytes.trusted_bytes()); };
  const auto tell = [&](total) { return sum; };
  co_await me.serve(take, take_load, take_sheet, tell);
}

/// Sends what comes back to whom it was told.
troupe::actor run_mirror(troupe::self<mirror_protocol> me) {
  co_await me.node().publish("mirror", me.me());
  troupe::ref<parcel> back;
  const auto turn = [&](return_to r) { back = r.whom; };
  const auto take = [&](parcel p) -> troupe::task<void> {
    co_await back.send<parcel>(p.value, 0, 0, 0, 0, 0, 0, 0);
  };
  co_await me.serve(turn, take);
}

std::string reader_name(unsigned number) { return "reader-" + std::to_string(number); }

/// How the two nodes are linked.
struct connection {
  troupe::lane_choice lanes;
  bool secure = false;
  troupe::io_backend io = troupe::io_backend::automatic;
};

/// Runs `near` in an actor of this process, with the address of a node in another.
template <class F, class... Args>
double with_far(connection over, F near, const setting& how, Args... args) {
  std::optional<key_folder> keys;
  if (over.secure) keys.emplace();
  const auto start = [&](troupe::node_options options) {
    options.lanes = over.lanes;
    options.io = over.io;
    if (keys) keys->give_to(options);
    return troupe::node::start(options);
  };
  const far_side far([&](auto tell) {
    auto node = start({.name = "far", .listen = {"tcp://127.0.0.1:0"}, .workers = 1});
    if (!node) check(false, node.error().text.c_str());
    node->spawn(run_far, std::string("far"));
    node->spawn(run_mirror);
    for (unsigned i = 0; i < sheet_readers; ++i) node->spawn(run_far, reader_name(i));
    tell(node->endpoints().front());
    for (;;) pause();
  });
  auto node = start({.name = "near", .workers = how.workers});
  if (!node) check(false, node.error().text.c_str());
  const report done = std::make_shared<std::promise<double>>();
  auto value = done->get_future();
  node->spawn(near, far.told(), done, how, args...);
  return value.get();
}

template <class Far = far_protocol, class P>
troupe::task<troupe::ref<Far>> find(troupe::self<P>& me, std::string name) {
  const auto far = co_await me.node().template lookup<Far>(std::move(name)).within(std::chrono::seconds(10));
  check(far.has_value(), "the other node is not there");
  co_return *far;
}
template <class P>
troupe::task<troupe::ref<far_protocol>> find_far(troupe::self<P>& me, std::string url) {
  co_await me.node().join(url);
  const auto far = co_await find(me, "far");
  co_return far;
}

/// What is sent to it comes back to `me`.
troupe::task<troupe::ref<parcel>> find_mirror(troupe::self<parcel>& me, std::string url) {
  co_await me.node().join(url);
  const auto far = co_await find<mirror_protocol>(me, "mirror");
  co_await far.send<return_to>(me.me());
  co_return far;
}

/// When all of that sum have come.
troupe::task<void> all_came(troupe::ref<far_protocol> far, std::int64_t expected) {
  std::int64_t sum = 0;
  while (sum != expected) {
    const auto said = co_await far.ask<total>().within(std::chrono::minutes(5));
    check(said.has_value() && *said <= expected, "oneway: the sum is wrong");
    sum = *said;
  }
}

troupe::task<void> send_packets(troupe::ref<far_protocol> far, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) co_await far.send<parcel>(i, 0, 0, 0, 0, 0, 0, 0);
}

troupe::actor run_oneway(troupe::self<nothing> me, std::string url, report done, setting how) {
  const auto far = co_await find_far(me, url);
  const std::uint64_t count = how.times(full_lane_stream);
  const stopwatch watch;
  co_await send_packets(far, count);
  co_await all_came(far, sum_below(count));
  done->set_value(watch.millions_per_second(count));
}

/// One in each turn of the worker.
troupe::actor run_oneway_single(troupe::self<nothing> me, std::string url, report done, setting how) {
  const auto far = co_await find_far(me, url);
  const std::uint64_t count = how.times(full_lane_stream / 5);
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) {
    co_await far.send<parcel>(i, 0, 0, 0, 0, 0, 0, 0);
    co_await me.yield();
  }
  co_await all_came(far, sum_below(count));
  done->set_value(watch.millions_per_second(count));
}

troupe::actor run_source(troupe::self<nothing>, troupe::ref<far_protocol> far, std::uint64_t count) {
  co_await send_packets(far, count);
}
/// An actor on each worker sends.
troupe::actor run_two_workers(troupe::self<nothing> me, std::string url, report done, setting how) {
  const auto far = co_await find_far(me, url);
  const std::uint64_t each = how.times(full_lane_stream) / how.workers;
  const stopwatch watch;
  for (unsigned i = 0; i < how.workers; ++i)
    me.spawn(troupe::spawn_options{.worker = i}, run_source, far, each);
  co_await all_came(far, how.workers * sum_below(each));
  done->set_value(watch.millions_per_second(how.workers * each));
}

troupe::actor run_oneway_loads(troupe::self<nothing> me, std::string url, report done, setting how,
                               std::uint64_t size) {
  const auto far = co_await find_far(me, url);
  const std::uint64_t count = how.times(full_lane_loads(size));
  const std::vector<std::uint8_t> bytes(size, 1);
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) co_await far.send<load>(i, bytes);
  co_await all_came(far, sum_below(count) + static_cast<std::int64_t>(count));
  done->set_value(watch.millions_per_second(count));
}

/// Written, and sent to all of them.
template <class P>
troupe::task<void> send_sheet(const troupe::self<P>& me, const std::vector<troupe::ref<far_protocol>>& to,
                              std::int64_t value, const std::vector<std::byte>& content) {
  auto room = me.loan(content.size());
  while (!room) {  // until some were read
    co_await me.yield();
    room = me.loan(content.size());
  }
  std::memcpy(room->bytes().data(), content.data(),
              content.size());  // std::ranges::copy goes byte by byte in GCC 12
  const troupe::bulk bytes = std::move(*room).seal();
  for (const auto& one : to) co_await one.template send<sheet>(value, bytes);
}
troupe::actor run_bulk_readers(troupe::self<nothing> me, std::string url, report done, setting how) {
  co_await me.node().join(url);
  std::vector<troupe::ref<far_protocol>> readers;
  for (unsigned i = 0; i < sheet_readers; ++i) {
    const auto one = co_await find(me, reader_name(i));
    readers.push_back(one);
  }
  const std::uint64_t count = how.times(full_lane_loads(sheet_bytes));
  const std::vector<std::byte> content(sheet_bytes, std::byte{1});
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i)
    co_await send_sheet(me, readers, static_cast<std::int64_t>(i), content);
  for (const auto& one : readers) co_await all_came(one, sum_of_sheets(count));
  done->set_value(watch.millions_per_second(count * sheet_readers));
}

/// 1 GiB a second.
troupe::actor run_sheet_stream(troupe::self<nothing> me, troupe::ref<far_protocol> to) {
  const std::vector<std::byte> content(sheet_bytes, std::byte{1});
  const std::vector<troupe::ref<far_protocol>> one(1, to);
  const stopwatch watch;
  for (std::uint64_t sent = 0; !me.stopping();) {
    while (!me.stopping() && static_cast<double>(sent) < watch.seconds() * 1024) {
      co_await send_sheet(me, one, 0, content);
      co_await me.yield();
      ++sent;
    }
    co_await me.sleep(std::chrono::microseconds(500));
  }
}

/// The median of the rounds.
troupe::actor run_rtt_beside_bulk(troupe::self<parcel> me, std::string url, report done, setting how) {
  const auto far = co_await find_mirror(me, url);
  const auto reader = co_await find(me, reader_name(0));
  me.spawn(run_sheet_stream, reader);
  const std::uint64_t rounds = how.times(full_lane_rounds);
  std::vector<double> each;
  std::int64_t sum = 0;
  const auto take = [&](const parcel& p) { sum += p.value; };
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const stopwatch watch;
    co_await far.send<parcel>(i, 0, 0, 0, 0, 0, 0, 0);
    (void)co_await me.receive(take);
    each.push_back(watch.ns_each(1));
  }
  check(sum == sum_below(rounds), "rtt: the sum is wrong");
  std::ranges::nth_element(each, each.begin() + static_cast<std::ptrdiff_t>(each.size() / 2));
  done->set_value(each[each.size() / 2]);
}

/// `pause`: before each round, so that both sides sleep.
troupe::actor run_rtt(troupe::self<parcel> me, std::string url, report done, setting how, std::uint64_t full,
                      troupe::duration pause) {
  const auto far = co_await find_mirror(me, url);
  const std::uint64_t rounds = how.times(full);
  std::int64_t sum = 0;
  double ns = 0;
  const auto take = [&](const parcel& p) { sum += p.value; };
  for (std::uint64_t i = 0; i < rounds; ++i) {
    if (pause != troupe::duration{}) co_await me.sleep(pause);
    const stopwatch watch;
    co_await far.send<parcel>(i, 0, 0, 0, 0, 0, 0, 0);
    (void)co_await me.receive(take);
    ns += watch.ns_each(1);
  }
  check(sum == sum_below(rounds), "rtt: the sum is wrong");
  done->set_value(ns / static_cast<double>(rounds));
}

/// Over sockets also with the other I/O backend.
template <class F, class... Args>
void add_case(cases& all, bench_case c, connection over, F near, Args... args) {
  const auto with = [=](troupe::io_backend io) -> bench_case::measure {
    return [=, linked = connection{over.lanes, over.secure, io}](const setting& how) {
      return with_far(linked, near, how, args...);
    };
  };
  c.ours = with(troupe::io_backend::automatic);
  if (over.lanes == troupe::lane_choice::tcp) c.variants = {{asio_system, with(troupe::io_backend::asio)}};
  all.push_back(std::move(c));
}

}  // namespace

void add_lane_cases(cases& all, troupe::lane_choice lane, const lane_yardsticks& raw) {
  const auto add = [&](const char* name, const char* unit, auto near, bench_case::measure yardstick,
                       auto... args) {
    add_case(all, {name, 1, placement::free, unit, {}, std::move(yardstick)}, {lane}, near, args...);
  };
  const auto packets = [&raw](std::uint32_t batch) {
    return [oneway = raw.oneway, batch](const setting& how) {
      return oneway(how, sizeof(packet), how.times(4 * full_lane_stream), batch);
    };
  };
  add("rtt_awake", "ns", run_rtt, raw.rtt_awake, full_lane_rounds, troupe::duration{});
  add("rtt_asleep", "ns", run_rtt, raw.rtt_asleep, full_asleep_rounds, troupe::duration(asleep_after));
  add("oneway", "M/s", run_oneway, packets(32));
  add("oneway_single", "M/s", run_oneway_single, packets(1));
  for (const auto& [name, size] :
       {std::pair{"oneway_1k", 1u << 10}, {"oneway_64k", 1u << 16}, {"oneway_1m", 1u << 20}}) {
    add(
        name, "M/s", run_oneway_loads,
        [oneway = raw.oneway, bytes = size](const setting& how) {
          return oneway(how, bytes, how.times(full_lane_loads(bytes)), std::max(1u, (1u << 16) / bytes));
        },
        std::uint64_t{size});
  }
  add("rtt_beside_bulk", "ns", run_rtt_beside_bulk, raw.rtt_awake);
  add("bulk_readers", "M/s", run_bulk_readers, [oneway = raw.oneway](const setting& how) {
    return oneway(how, sheet_bytes, sheet_readers * how.times(full_lane_loads(sheet_bytes)), 1);
  });
  add_case(all, {"two_workers", 2, placement::free, "M/s", {}, packets(32)}, {lane}, run_two_workers);
}

void add_tls_cases(cases& all) {
  const auto add = [&](const char* name, const char* unit, auto near, auto... args) {
    const auto plain = [=](const setting& how) {
      return with_far({troupe::lane_choice::tcp}, near, how, args...);
    };
    add_case(all, {name, 1, placement::free, unit, {}, plain}, {troupe::lane_choice::tcp, true}, near,
             args...);
  };
  constexpr std::uint64_t large = 1u << 20;
  add("tls_rtt", "ns", run_rtt, full_lane_rounds, troupe::duration{});
  add("tls_oneway", "M/s", run_oneway);
  add("tls_1m", "M/s", run_oneway_loads, large);
}

}  // namespace bench
