// The cases of a peer whose two ends are a Socket: listen() gives the name to connect() to, send(bytes) and receive(room) carry
// one message, of which the receiver knows the size.
#pragma once

#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "bench_case.hpp"
#include "packet.hpp"
#include "two_processes.hpp"

namespace bench {

template <class Socket>
void send_packet(Socket& to, std::int64_t value) {
  const packet p{value, {}};
  to.send(std::as_bytes(std::span(&p, 1)));
}
template <class Socket>
std::int64_t receive_packet(Socket& from) {
  packet p;
  from.receive(std::as_writable_bytes(std::span(&p, 1)));
  return p.value;
}

/// `asleep`: with a pause before each round.
template <class Socket>
double rtt(std::uint64_t rounds, bool asleep) {
  const far_side far([&](auto tell) {
    Socket socket;
    tell(socket.listen());
    for (;;) send_packet(socket, receive_packet(socket));
  });
  Socket socket;
  socket.connect(far.told());
  std::int64_t sum = 0;
  double ns = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    if (asleep) std::this_thread::sleep_for(asleep_after);
    const stopwatch watch;
    send_packet(socket, static_cast<std::int64_t>(i));
    sum += receive_packet(socket);
    ns += watch.ns_each(1);
  }
  check(sum == sum_below(rounds), "rtt: the sum is wrong");
  return ns / static_cast<double>(rounds);
}

/// So many of that size; the first bytes of each are its number, the last one is 1, and both are summed.
template <class Socket>
double oneway(std::uint64_t count, std::size_t bytes) {
  const far_side far([&](auto tell) {
    Socket socket;
    tell(socket.listen());
    std::vector<std::byte> room(bytes);
    std::int64_t sum = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      socket.receive(room);
      std::int64_t number = 0;
      std::memcpy(&number, room.data(), sizeof number);
      sum += number + std::to_integer<std::int64_t>(room.back());
    }
    send_packet(socket, sum);
  });
  Socket socket;
  socket.connect(far.told());
  std::vector<std::byte> load(bytes, std::byte{1});
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(load.data(), &i, sizeof i);
    socket.send(load);
  }
  const std::int64_t sum = receive_packet(socket);
  const double rate = watch.millions_per_second(count);
  check(sum == sum_below(count) + static_cast<std::int64_t>(count), "oneway: the sum is wrong");
  return rate;
}

/// A packet there and back.
template <class Socket>
void add_rtts(std::vector<bench_case>& all) {
  all.push_back({"rtt_awake", 1, placement::free, "ns",
                 [](const setting& how) { return rtt<Socket>(how.times(full_lane_rounds), false); }});
  all.push_back({"rtt_asleep", 1, placement::free, "ns",
                 [](const setting& how) { return rtt<Socket>(how.times(full_asleep_rounds), true); }});
}
/// One of `fewer` packets that troupe sends.
template <class Socket>
void add_oneway(std::vector<bench_case>& all, std::uint64_t fewer = 1) {
  all.push_back({"oneway", 1, placement::free, "M/s", [fewer](const setting& how) {
                   return oneway<Socket>(how.times(full_lane_stream / fewer), sizeof(packet));
                 }});
}
/// And of what is larger.
template <class Socket>
void add_loads(std::vector<bench_case>& all, std::uint64_t fewer = 1) {
  for (const auto& [name, bytes] :
       {std::pair{"oneway_1k", 1u << 10}, {"oneway_64k", 1u << 16}, {"oneway_1m", 1u << 20}}) {
    all.push_back({name, 1, placement::free, "M/s", [fewer, size = bytes](const setting& how) {
                     return oneway<Socket>(how.times(full_lane_loads(size) / fewer), size);
                   }});
  }
}

}  // namespace bench
