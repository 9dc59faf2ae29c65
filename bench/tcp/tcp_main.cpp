// bench_tcp: actors in two processes that talk over TCP on the loopback. The yardstick is a socket without Nagle's delay, which
// carries packets of 64 bytes one by one, or as many as fit into 64 KiB.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "lane_cases.hpp"
#include "link_cases.hpp"
#include "packet.hpp"
#include "stranger_cases.hpp"
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

/// Whether both sides wait in the kernel for long or not: a read that waits is all there is.
double raw_rtt(std::uint64_t rounds, bool after_a_pause) {
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
  double ns = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    if (after_a_pause) std::this_thread::sleep_for(asleep_after);
    p.value = static_cast<std::int64_t>(i);
    const stopwatch watch;
    write_all(far, &p, sizeof p);
    read_all(far, &p, sizeof p);
    ns += watch.ns_each(1);
    sum += p.value;
  }
  check(sum == sum_below(rounds), "rtt: the sum is wrong");
  return ns / static_cast<double>(rounds);
}

/// As many to a write as fit into 64 KiB, or `batch` if that is one.
double raw_oneway(std::size_t bytes, std::uint64_t count, std::uint32_t batch) {
  const std::size_t together = batch == 1 ? 1 : std::max<std::size_t>(1, (64 << 10) / bytes);
  count = std::max<std::uint64_t>(count / together, 1) * together;
  sockaddr_in at{};
  const int listener = listen_somewhere(at);
  const auto each = [bytes](std::byte* all, std::size_t k) { return all + k * bytes; };
  const far_side other([&](auto tell) {
    tell("here");
    const int from = accept_one(listener);
    std::vector<std::byte> all(together * bytes);
    std::int64_t sum = 0;
    for (std::uint64_t i = 0; i < count; i += together) {
      read_all(from, all.data(), all.size());
      for (std::size_t k = 0; k < together; ++k) {
        std::int64_t number = 0;
        std::memcpy(&number, each(all.data(), k), sizeof number);
        sum += number;
      }
    }
    write_all(from, &sum, sizeof sum);
  });
  const int far = connect_to(at);
  std::vector<std::byte> all(together * bytes);
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; i += together) {
    for (std::size_t k = 0; k < together; ++k) {
      const auto number = static_cast<std::int64_t>(i + k);
      std::memcpy(each(all.data(), k), &number, sizeof number);
    }
    write_all(far, all.data(), all.size());
  }
  std::int64_t sum = 0;
  read_all(far, &sum, sizeof sum);
  const double rate = watch.millions_per_second(count);
  check(sum == sum_below(count), "oneway: the sum is wrong");
  return rate;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  cases all;
  add_lane_cases(all, troupe::lane_choice::tcp,
                 {[](const setting& how) { return raw_rtt(how.times(full_lane_rounds), false); },
                  [](const setting& how) { return raw_rtt(how.times(full_asleep_rounds), true); },
                  [](const setting&, std::size_t bytes, std::uint64_t count, std::uint32_t batch) {
                    return raw_oneway(bytes, batch == 1 && bytes == sizeof(packet) ? count / 10 : count,
                                      batch);
                  }});
  add_tls_cases(all);
  add_link_cases(all);
  add_stranger_cases(all);
  return run_group("tcp", all, {}, argc, argv);
}
