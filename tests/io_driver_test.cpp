// The I/O driver's operations, on both backends: every test runs over io_uring (where the kernel allows it)
// and over Boost.Asio's reactor.
#include "catch.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "io_driver_kit.hpp"

using namespace troupe::test;
using troupe::descriptor;
using troupe::endpoint;

TEST_CASE("a connection carries bytes both ways and ends with end of stream", "[io]") {
  OPEN_DRIVER(io);
  const std::string prefix =
      GENERATE(as<std::string>(), "tcp://127.0.0.1:", "tcp://localhost:", "unix://@troupe-io-",
               "unix:///tmp/troupe-io-");
  const std::string url = prefix + (prefix[0] == 't' ? "0" : std::to_string(::getpid()));
  auto listener = world().listen(endpoint::parse(url).value(), 16);
  REQUIRE(listener.has_value());
  endpoint to = endpoint::parse(url).value();
  if (to.family == endpoint::kind::tcp) to.port = world().local_endpoint(listener->get()).port;
  auto client = world().open_socket(to);
  REQUIRE(client.has_value());

  recorded accept, connect;
  io->accept(accept, listener->get());
  io->connect(connect, client->get(), to);
  CHECK(finish(*io, connect) == 0);
  descriptor server(world(), finish(*io, accept));
  REQUIRE(server);

  recorded send, receive;
  std::array<std::byte, 64> into{};
  io->receive(receive, server.get(), into);
  io->send(send, client->get(), bytes("hello"));
  CHECK(finish(*io, send) == 5);
  CHECK(finish(*io, receive) == 5);
  CHECK(into[4] == std::byte{'o'});
  io->send(send, server.get(), bytes("hi"));
  io->receive(receive, client->get(), into);
  CHECK(finish(*io, send) == 2);
  CHECK(finish(*io, receive) == 2);

  io->receive(receive, server.get(), into);
  close(*io, *client);
  CHECK(finish(*io, receive) == 0);
  close(*io, server);
  close(*io, *listener);
}

TEST_CASE("an accepted socket is non-blocking, close-on-exec and without delay", "[io]") {
  OPEN_DRIVER(io);
  auto listener = world().listen(endpoint::parse("tcp://127.0.0.1:0").value(), 16);
  REQUIRE(listener.has_value());
  const endpoint to = world().local_endpoint(listener->get());
  auto client = world().open_socket(to);
  REQUIRE(client.has_value());
  recorded accept, connect;
  io->connect(connect, client->get(), to);
  CHECK(finish(*io, connect) == 0);
  io->accept(accept, listener->get());
  descriptor server(world(), finish(*io, accept));
  CHECK((::fcntl(server.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(server.get(), F_GETFD) & FD_CLOEXEC) != 0);
  int no_delay = 0;
  socklen_t size = sizeof no_delay;
  CHECK(::getsockopt(server.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size) == 0);
  CHECK(no_delay != 0);
  for (descriptor* d : {&server, &*client, &*listener}) close(*io, *d);
}

TEST_CASE("connecting to nobody is refused", "[io]") {
  OPEN_DRIVER(io);
  endpoint to = GENERATE(true, false) ? endpoint::parse("tcp://127.0.0.1:0").value() : local_name("nobody");
  if (to.family == endpoint::kind::tcp)  // a port that was free a moment ago
    to.port = world().local_endpoint(world().listen(to, 1)->get()).port;
  auto client = world().open_socket(to);
  REQUIRE(client.has_value());
  recorded connect;
  io->connect(connect, client->get(), to);
  CHECK(finish(*io, connect) == -ECONNREFUSED);
  close(*io, *client);
}

TEST_CASE("connecting to an unknown host completes with an error", "[io]") {
  OPEN_DRIVER(io);
  const endpoint nowhere = endpoint::parse("tcp://" + std::string(64, 'a') + ".invalid:1").value();
  auto client = world().open_socket(endpoint::parse("tcp://127.0.0.1:1").value());
  recorded connect;
  io->connect(connect, client->get(), nowhere);
  CHECK(connect.runs == 0);
  CHECK(finish(*io, connect) == -EHOSTUNREACH);
  close(*io, *client);
}

TEST_CASE("sending to a closed peer is an error and raises no signal", "[io]") {
  OPEN_DRIVER(io);
  auto [left, right] = local_pair();
  right.reset();
  recorded send;
  io->send(send, left.get(), bytes("x"));
  CHECK(finish(*io, send) == -EPIPE);
  close(*io, left);
}

TEST_CASE("an operation on a bad descriptor completes with an error", "[io]") {
  OPEN_DRIVER(io);
  recorded receive, accept, wait;
  std::array<std::byte, 1> into{};
  const int closed = 1'000'000;
  io->receive(receive, closed, into);
  CHECK(finish(*io, receive) == -EBADF);
  io->accept(accept, closed);
  CHECK(finish(*io, accept) == -EBADF);
  io->wait_readable(wait, closed);
  CHECK(finish(*io, wait) == -EBADF);
}

TEST_CASE("a handler never runs inside the call that starts or cancels its operation", "[io]") {
  OPEN_DRIVER(io);
  auto [left, right] = local_pair();
  recorded send, receive;
  std::array<std::byte, 1> into{};
  io->send(send, left.get(), bytes("x"));  // the socket has room: it could complete at once
  CHECK(send.runs == 0);
  CHECK(send.in_flight);
  CHECK(finish(*io, send) == 1);
  io->receive(receive, right.get(), into);  // the byte is there already
  CHECK(receive.runs == 0);
  CHECK(finish(*io, receive) == 1);
  io->receive(receive, right.get(), into);
  io->turn(std::nullopt);
  io->cancel(receive);
  CHECK(receive.runs == 0);
  CHECK(finish(*io, receive) == -ECANCELED);
  close(*io, left);
  close(*io, right);
}

TEST_CASE("a cancelled operation completes once and its descriptor goes on working", "[io]") {
  OPEN_DRIVER(io);
  const bool submitted = GENERATE(true, false);  // cancelled after a turn, or before the kernel has seen it
  auto [left, right] = local_pair();
  recorded receive, send, wait;
  std::array<std::byte, 8> into{};
  io->receive(receive, left.get(), into);
  if (submitted) io->turn(std::nullopt);
  io->cancel(receive);
  io->cancel(receive);
  CHECK(finish(*io, receive) == -ECANCELED);
  io->wait_readable(wait, left.get());
  if (submitted) io->turn(std::nullopt);
  io->cancel(wait);
  CHECK(finish(*io, wait) == -ECANCELED);

  io->receive(receive, left.get(), into);
  io->send(send, right.get(), bytes("on"));
  CHECK(finish(*io, receive) == 2);
  CHECK(finish(*io, send) == 2);
  io->turn(std::nullopt);
  CHECK(receive.runs == 0);
  close(*io, left);
  close(*io, right);
}

TEST_CASE("a cancelled accept leaves the listener usable", "[io]") {
  OPEN_DRIVER(io);
  const endpoint at = local_name("cancelled");
  auto listener = world().listen(at, 16);
  REQUIRE(listener.has_value());
  recorded accept, connect;
  io->accept(accept, listener->get());
  io->turn(std::nullopt);
  io->cancel(accept);
  CHECK(finish(*io, accept) == -ECANCELED);

  auto client = world().open_socket(at);
  io->connect(connect, client->get(), at);
  io->accept(accept, listener->get());
  CHECK(finish(*io, connect) == 0);
  descriptor server(world(), finish(*io, accept));
  CHECK(server);
  for (descriptor* d : {&server, &*client, &*listener}) close(*io, *d);
}

namespace {

/// Takes the connection that it made from the backlog, before an accept that was told of it gets there, and
/// may cancel that accept at the same moment.
struct connect_and_take : io_operation {
  connect_and_take(io_driver& d, int l) : io_operation(&connected), driver(d), listener(l) {}
  static void connected(io_operation& self, std::int32_t) noexcept {
    auto& c = static_cast<connect_and_take&>(self);
    c.taken = ::accept4(c.listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (c.to_cancel != nullptr) c.driver.cancel(*c.to_cancel);
  }
  io_driver& driver;
  int listener;
  io_operation* to_cancel = nullptr;
  int taken = -1;
};

}  // namespace

TEST_CASE("an accept whose connection was taken by somebody else waits on, and can be cancelled", "[io]") {
  OPEN_DRIVER(io);
  const bool cancelled = GENERATE(true, false);
  const endpoint at = local_name("taken");
  auto listener = world().listen(at, 16);
  REQUIRE(listener.has_value());
  recorded accept, connect;
  auto first = world().open_socket(at);
  auto second = world().open_socket(at);
  io->accept(accept, listener->get());
  io->turn(std::nullopt);
  connect_and_take thief(*io, listener->get());
  if (cancelled) thief.to_cancel = &accept;
  io->connect(thief, first->get(), at);
  REQUIRE(turn_until(*io, [&] { return !thief.in_flight; }));
  REQUIRE(thief.taken >= 0);
  ::close(thief.taken);
  if (cancelled) {
    CHECK(finish(*io, accept) == -ECANCELED);
  } else {
    for (int i = 0; i < 3; ++i) io->turn(std::nullopt);
    CHECK(accept.runs == 0);
    io->connect(connect, second->get(), at);
    CHECK(finish(*io, connect) == 0);
    descriptor server(world(), finish(*io, accept));
    CHECK(server);
    close(*io, server);
  }
  for (descriptor* d : {&*first, &*second, &*listener}) close(*io, *d);
}

TEST_CASE("cancelling the read side leaves the write side of a socket in flight", "[io]") {
  OPEN_DRIVER(io);
  auto [left, right] = local_pair();
  recorded send, receive, drain;
  std::array<std::byte, 1> into{};
  const std::vector<std::byte> large(4 << 20);
  io->receive(receive, left.get(), into);
  std::size_t sent = 0;
  while (true) {  // until the socket is full
    io->send(send, left.get(), large);
    for (int i = 0; i < 100 && send.runs == 0; ++i) io->turn(std::nullopt);
    if (send.runs == 0) break;
    REQUIRE(send.result > 0);
    sent += static_cast<std::size_t>(send.result);
    send.runs = 0;
  }
  io->cancel(receive);
  CHECK(finish(*io, receive) == -ECANCELED);
  CHECK(send.in_flight);

  std::vector<std::byte> sink(1 << 20);
  std::size_t drained = 0;
  while (send.runs == 0) {
    io->receive(drain, right.get(), sink);
    const auto got = finish(*io, drain);
    REQUIRE(got > 0);
    drained += static_cast<std::size_t>(got);
  }
  REQUIRE(send.result > 0);
  sent += static_cast<std::size_t>(send.result);
  while (drained < sent) {
    io->receive(drain, right.get(), sink);
    drained += static_cast<std::size_t>(finish(*io, drain));
  }
  CHECK(drained == sent);
  close(*io, left);
  close(*io, right);
}

TEST_CASE("wait_readable sees a signalled event, and only then", "[io]") {
  OPEN_DRIVER(io);
  auto event = world().open_event();
  REQUIRE(event.has_value());
  recorded wait;
  for (int round = 0; round < 3; ++round) {
    io->wait_readable(wait, event->get());
    io->turn(std::nullopt);
    io->turn(std::nullopt);
    REQUIRE(wait.runs == 0);
    world().signal_event(event->get());
    CHECK(finish(*io, wait) == 0);
    if (round == 1) {  // still readable: says so again
      io->wait_readable(wait, event->get());
      CHECK(finish(*io, wait) == 0);
    }
    world().drain_event(event->get());
  }
  close(*io, *event);
}

TEST_CASE("wait_readable sees the end of a process and the hang-up of a socket", "[io]") {
  OPEN_DRIVER(io);
  auto [left, right] = local_pair();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  descriptor pidfd(world(), static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  recorded process, socket;
  io->wait_readable(process, pidfd.get());
  CHECK(finish(*io, process) == 0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  io->wait_readable(socket, left.get());
  io->turn(std::nullopt);
  CHECK(socket.runs == 0);
  right.reset();
  CHECK(finish(*io, socket) == 0);
  close(*io, left);
  close(*io, pidfd);
}

TEST_CASE("wait_writable waits for room, beside a wait for bytes, and sees a hang-up", "[io]") {
  OPEN_DRIVER(io);
  auto [left, right] = local_pair();
  recorded room, wait;
  io->wait_writable(room, left.get());
  CHECK(finish(*io, room) == 0);
  const std::vector<std::byte> block(64 * 1024);
  while (::send(left.get(), block.data(), block.size(), MSG_NOSIGNAL) > 0) {
  }
  REQUIRE(errno == EAGAIN);
  io->wait_readable(wait, left.get());
  io->wait_writable(room, left.get());
  io->turn(std::nullopt);
  io->turn(std::nullopt);
  CHECK(room.runs == 0);
  io->cancel(room);
  CHECK(finish(*io, room) == -ECANCELED);
  io->wait_writable(room, left.get());
  SECTION("there is room") {
    std::vector<std::byte> sink(block.size());
    while (::recv(right.get(), sink.data(), sink.size(), 0) > 0) {
    }
    CHECK(finish(*io, room) == 0);
    CHECK(wait.runs == 0);
    io->cancel(wait);
    CHECK(finish(*io, wait) == -ECANCELED);
    close(*io, right);
  }
  SECTION("nobody reads any more") {
    right.reset();
    CHECK(finish(*io, room) == 0);
    CHECK(finish(*io, wait) == 0);
  }
  close(*io, left);
}

TEST_CASE("a descriptor number can be used again after forget", "[io]") {
  OPEN_DRIVER(io);
  int number = -1;
  for (int round = 0; round < 3; ++round) {
    auto [left, right] = local_pair();
    if (round > 0) CHECK(left.get() == number);
    number = left.get();
    recorded receive, send;
    std::array<std::byte, 4> into{};
    io->receive(receive, left.get(), into);
    io->turn(std::nullopt);
    io->send(send, right.get(), bytes("x"));
    CHECK(finish(*io, receive) == 1);
    CHECK(finish(*io, send) == 1);
    close(*io, left);
    close(*io, right);
  }
}
