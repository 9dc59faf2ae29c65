// bench_tcp: actors in two processes that talk over TCP on the loopback. The yardstick is a socket without Nagle's delay, which
// carries packets of 64 bytes one by one, or as many as fit into 64 KiB.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lane_cases.hpp"
#include "packet.hpp"
#include "two_processes.hpp"

namespace bench {
namespace {

void without_delay(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
void write_all(int to, const void* data, std::size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size != 0) {
    const ssize_t done = write(to, at, size);
    check(done > 0, "the socket is broken");
    at += done;
    size -= static_cast<std::size_t>(done);
  }
}
void read_all(int from, void* data, std::size_t size) {
  auto* at = static_cast<char*>(data);
  while (size != 0) {
    const ssize_t done = read(from, at, size);
    check(done > 0, "the socket is broken");
    at += done;
    size -= static_cast<std::size_t>(done);
  }
}

/// A listener at a port of the loopback that nobody else has.
int listen_somewhere(sockaddr_in& at) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  check(bind(listener, address, size) == 0 && listen(listener, 1) == 0 &&
            getsockname(listener, address, &size) == 0,
        "cannot listen");
  return listener;
}
int accept_one(int listener) {
  const int from = accept(listener, nullptr, nullptr);
  check(from >= 0, "cannot accept");
  without_delay(from);
  return from;
}
int connect_to(const sockaddr_in& at) {
  const int to = socket(AF_INET, SOCK_STREAM, 0);
  check(connect(to, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0, "cannot connect");
  without_delay(to);
  return to;
}

double raw_pingpong(const setting& how) {
  const std::uint64_t rounds = how.times(full_lane_rounds);
  sockaddr_in at{};
  const int listener = listen_somewhere(at);
  const far_side other([&](auto tell) {
    tell("here");
    const int from = accept_one(listener);
    packet p;
    for (std::uint64_t i = 0; i < rounds; ++i) {
      read_all(from, &p, sizeof p);
      write_all(from, &p, sizeof p);
    }
  });
  const int far = connect_to(at);
  packet p{};
  std::int64_t sum = 0;
  const stopwatch watch;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    p.value = static_cast<std::int64_t>(i);
    write_all(far, &p, sizeof p);
    read_all(far, &p, sizeof p);
    sum += p.value;
  }
  const double each = watch.ns_each(rounds);
  check(sum == sum_below(rounds), "pingpong: the sum is wrong");
  return each;
}

double raw_stream(const setting& how) {
  constexpr std::size_t batch = 1024;
  const std::uint64_t count = how.times(2 * full_lane_stream) / batch * batch;
  sockaddr_in at{};
  const int listener = listen_somewhere(at);
  const far_side other([&](auto tell) {
    tell("here");
    const int from = accept_one(listener);
    std::vector<packet> all(batch);
    std::int64_t sum = 0;
    for (std::uint64_t i = 0; i < count; i += batch) {
      read_all(from, all.data(), batch * sizeof(packet));
      for (const packet& p : all) sum += p.value;
    }
    write_all(from, &sum, sizeof sum);
  });
  const int far = connect_to(at);
  std::vector<packet> all(batch);
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; i += batch) {
    for (std::size_t k = 0; k < batch; ++k) all[k].value = static_cast<std::int64_t>(i + k);
    write_all(far, all.data(), batch * sizeof(packet));
  }
  std::int64_t sum = 0;
  read_all(far, &sum, sizeof sum);
  const double rate = watch.millions_per_second(count);
  check(sum == sum_below(count), "stream: the sum is wrong");
  return rate;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  cases all;
  add_lane_cases(all, troupe::lane_choice::tcp, raw_pingpong, raw_stream);
  return run_group("tcp", all, {}, argc, argv);
}
