// The cases of a peer whose two ends are a Socket: listen() gives the name to connect() to, send() and receive() carry a packet.
#pragma once

#include <thread>
#include <vector>

#include "bench_case.hpp"
#include "packet.hpp"
#include "two_processes.hpp"

namespace bench {

/// `asleep`: with a pause before each round.
template <class Socket>
double rtt(std::uint64_t rounds, bool asleep) {
  const far_side far([&](auto tell) {
    Socket socket;
    tell(socket.listen());
    for (;;) socket.send(socket.receive());
  });
  Socket socket;
  socket.connect(far.told());
  std::int64_t sum = 0;
  double ns = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    if (asleep) std::this_thread::sleep_for(asleep_after);
    const stopwatch watch;
    socket.send({static_cast<std::int64_t>(i), {}});
    sum += socket.receive().value;
    ns += watch.ns_each(1);
  }
  check(sum == sum_below(rounds), "rtt: the sum is wrong");
  return ns / static_cast<double>(rounds);
}

template <class Socket>
double oneway(const setting& how, std::uint64_t full) {
  const std::uint64_t count = how.times(full);
  const far_side far([&](auto tell) {
    Socket socket;
    tell(socket.listen());
    std::int64_t sum = 0;
    for (std::uint64_t i = 0; i < count; ++i) sum += socket.receive().value;
    socket.send({sum, {}});
  });
  Socket socket;
  socket.connect(far.told());
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) socket.send({static_cast<std::int64_t>(i), {}});
  const std::int64_t sum = socket.receive().value;
  const double rate = watch.millions_per_second(count);
  check(sum == sum_below(count), "oneway: the sum is wrong");
  return rate;
}

/// `full`: how many packets go one way.
template <class Socket>
std::vector<bench_case> socket_cases(std::uint64_t full = full_lane_stream) {
  return {{"rtt_awake", 1, placement::free, "ns",
           [](const setting& how) { return rtt<Socket>(how.times(full_lane_rounds), false); }},
          {"rtt_asleep", 1, placement::free, "ns",
           [](const setting& how) { return rtt<Socket>(how.times(full_asleep_rounds), true); }},
          {"oneway", 1, placement::free, "M/s",
           [full](const setting& how) { return oneway<Socket>(how, full); }}};
}

}  // namespace bench
