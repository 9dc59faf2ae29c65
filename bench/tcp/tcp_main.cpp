// bench_tcp: actors in two processes that talk over TCP on the loopback. The yardstick is a socket without Nagle's delay, which
// carries packets of 64 bytes one by one, or as many as fit into 64 KiB.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lane_cases.hpp"

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

struct connection {
  int socket;
  pid_t other;
};
/// With `far` at the other end, in another process.
template <class F>
connection connect_far(F far) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  check(bind(listener, address, size) == 0 && listen(listener, 1) == 0 &&
            getsockname(listener, address, &size) == 0,
        "cannot listen");
  const pid_t other = fork();
  check(other >= 0, "cannot fork");
  if (other == 0) {
    const int from = accept(listener, nullptr, nullptr);
    without_delay(from);
    far(from);
    std::_Exit(0);
  }
  const int to = socket(AF_INET, SOCK_STREAM, 0);
  check(connect(to, address, size) == 0, "cannot connect");
  without_delay(to);
  return {to, other};
}

double raw_pingpong(const setting& how) {
  const std::uint64_t rounds = how.times(30'000);
  const connection far = connect_far([&](int from) {
    packet p;
    for (std::uint64_t i = 0; i < rounds; ++i) {
      read_all(from, &p, sizeof p);
      write_all(from, &p, sizeof p);
    }
  });
  packet p{};
  std::int64_t sum = 0;
  const stopwatch watch;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    p.value = static_cast<std::int64_t>(i);
    write_all(far.socket, &p, sizeof p);
    read_all(far.socket, &p, sizeof p);
    sum += p.value;
  }
  const double each = watch.ns_each(rounds);
  waitpid(far.other, nullptr, 0);
  check(sum == sum_below(rounds), "pingpong: the sum is wrong");
  return each;
}

double raw_stream(const setting& how) {
  constexpr std::size_t batch = 1024;
  const std::uint64_t count = how.times(10'000'000) / batch * batch;
  const stopwatch watch;
  const connection far = connect_far([&](int from) {
    std::vector<packet> all(batch);
    std::int64_t sum = 0;
    for (std::uint64_t i = 0; i < count; i += batch) {
      read_all(from, all.data(), batch * sizeof(packet));
      for (const packet& p : all) sum += p.value;
    }
    write_all(from, &sum, sizeof sum);
  });
  std::vector<packet> all(batch);
  for (std::uint64_t i = 0; i < count; i += batch) {
    for (std::size_t k = 0; k < batch; ++k) all[k].value = static_cast<std::int64_t>(i + k);
    write_all(far.socket, all.data(), batch * sizeof(packet));
  }
  std::int64_t sum = 0;
  read_all(far.socket, &sum, sizeof sum);
  const double rate = watch.millions_per_second(count);
  waitpid(far.other, nullptr, 0);
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
