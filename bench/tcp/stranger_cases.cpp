// Two nodes ask each other, and a third process has opened sockets to one of them and is silent. That node keeps the youngest of
// them for as long as a handshake may take, and hangs up on the others; they do not close theirs. The figure is the 99th
// percentile of what an ask takes; the yardstick is the same without strangers.
#include "stranger_cases.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "two_processes.hpp"

namespace bench {

// Not in the anonymous namespace: it has a name on the wire.
namespace lanes {
struct knock {
  std::int64_t value;
  using reply = std::int64_t;
};
}  // namespace lanes
using lanes::knock;

namespace {

constexpr rlim_t descriptors_beside = 128;
constexpr std::uint64_t full_knocks = 50'000;

troupe::actor run_door(troupe::self<knock> me) {
  co_await me.node().publish("door", me.me());
  co_await me.serve([](const knock& k) { return k.value; });
}

troupe::actor run_knocks(troupe::self<troupe::protocol<>> me, std::string url, std::uint64_t rounds,
                         std::shared_ptr<std::promise<double>> done) {
  co_await me.node().join(url);
  const auto door = co_await me.node().lookup<knock>("door").within(std::chrono::seconds(10));
  check(door.has_value(), "the other node is not there");
  std::vector<double> each;
  std::int64_t sum = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const stopwatch watch;
    const auto answer = co_await door->ask<knock>(i);
    each.push_back(watch.ns_each(1));
    check(answer.has_value(), "an ask was not answered");
    sum += *answer;
  }
  check(sum == sum_below(rounds), "strangers: the sum is wrong");
  const auto at = each.begin() + static_cast<std::ptrdiff_t>(each.size() * 99 / 100);
  std::ranges::nth_element(each, at);
  done->set_value(*at);
}

/// So many sockets that lead there, open for as long as this process lives.
void connect_often(const std::string& url, std::uint64_t count) {
  const rlimit limit{count + descriptors_beside, count + descriptors_beside};
  check(setrlimit(RLIMIT_NOFILE, &limit) == 0, "cannot raise the limit of descriptors");
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1))));
  for (std::uint64_t i = 0; i < count; ++i) {
    const int to = socket(AF_INET, SOCK_STREAM, 0);
    check(to >= 0 && connect(to, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0, "cannot connect");
  }
}

double knocks_beside(std::uint64_t strangers, const setting& how, troupe::io_backend io) {
  const auto start = [&](troupe::node_options options) {
    options.lanes = troupe::lane_choice::tcp;
    options.io = io;
    options.workers = 1;
    auto node = troupe::node::start(options);
    if (!node) check(false, node.error().text.c_str());
    return std::move(*node);
  };
  const far_side far([&](auto tell) {
    troupe::node node = start({.name = "far", .listen = {"tcp://127.0.0.1:0"}});
    node.spawn(run_door);
    tell(node.endpoints().front());
    for (;;) pause();
  });
  const far_side crowd([&](auto tell) {
    connect_often(far.told(), strangers);
    tell("here");
  });
  troupe::node node = start({.name = "near"});
  const auto done = std::make_shared<std::promise<double>>();
  auto value = done->get_future();
  node.spawn(run_knocks, far.told(), how.times(full_knocks), done);
  return value.get();
}

}  // namespace

void add_stranger_cases(cases& all) {
  constexpr std::uint64_t count = 10'000;
  const auto with = [](std::uint64_t strangers, troupe::io_backend io) -> bench_case::measure {
    return [=](const setting& how) { return knocks_beside(how.times(strangers), how, io); };
  };
  constexpr auto any = troupe::io_backend::automatic;
  bench_case c{"ask_p99_strangers_10k", 1, placement::free, "ns", with(count, any), with(0, any)};
  c.variants = {{asio_system, with(count, troupe::io_backend::asio)}};
  rlimit limit{};
  check(getrlimit(RLIMIT_NOFILE, &limit) == 0, "no limit of descriptors");
  if (limit.rlim_max < count + descriptors_beside)
    c.lacks = "it needs " + std::to_string(count + descriptors_beside) +
              " descriptors, and this process may have " + std::to_string(limit.rlim_max) + " (ulimit -Hn)";
  all.push_back(std::move(c));
}

}  // namespace bench
