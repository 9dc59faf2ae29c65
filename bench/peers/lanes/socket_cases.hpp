// The cases of a peer whose two ends are a Socket: listen() gives the name to connect() to, send() and receive() carry a packet.
#pragma once

#include <vector>

#include "bench_case.hpp"
#include "packet.hpp"
#include "two_processes.hpp"

namespace bench {

template <class Socket>
double pingpong(const setting& how) {
  const std::uint64_t rounds = how.times(full_lane_rounds);
  const far_side far([&](auto tell) {
    Socket socket;
    tell(socket.listen());
    for (;;) socket.send(socket.receive());
  });
  Socket socket;
  socket.connect(far.told());
  std::int64_t sum = 0;
  const stopwatch watch;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    socket.send({static_cast<std::int64_t>(i), {}});
    sum += socket.receive().value;
  }
  const double each = watch.ns_each(rounds);
  check(sum == sum_below(rounds), "pingpong: the sum is wrong");
  return each;
}

template <class Socket>
double stream(const setting& how, std::uint64_t full) {
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
  check(sum == sum_below(count), "stream: the sum is wrong");
  return rate;
}

/// `full`: how many packets a stream has.
template <class Socket>
std::vector<bench_case> socket_cases(std::uint64_t full = full_lane_stream) {
  return {{"pingpong", 1, placement::free, "ns", pingpong<Socket>},
          {"stream", 1, placement::free, "M/s",
           [full](const setting& how) { return stream<Socket>(how, full); }}};
}

}  // namespace bench
