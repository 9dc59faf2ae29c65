// The real kernel's env: clock, sockets, descriptor passing, sealed segments, events.
#include "catch.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <troupe/env.hpp>

using troupe::descriptor;
using troupe::endpoint;
using troupe::env;
using troupe::errc;

namespace {

env& world() { return troupe::os_env(); }

std::pair<descriptor, descriptor> local_pair() {
  int fds[2] = {-1, -1};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  return {descriptor(world(), fds[0]), descriptor(world(), fds[1])};
}

descriptor memfd(std::size_t size, int seals) {
  descriptor file(world(), ::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::ftruncate(file.get(), static_cast<off_t>(size)) == 0);
  REQUIRE(::fcntl(file.get(), F_ADD_SEALS, seals) == 0);
  return file;
}
constexpr int all_seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

std::size_t open_descriptors() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++n;
  return n;
}

bool readable(int fd, int milliseconds) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, milliseconds) == 1;
}

ino_t inode(int fd) {
  struct stat file{};
  REQUIRE(::fstat(fd, &file) == 0);
  return file.st_ino;
}

const std::array<std::byte, 1> one_byte{std::byte{'x'}};

struct temporary_folder {
  temporary_folder() { REQUIRE(::mkdtemp(name) != nullptr); }
  ~temporary_folder() { std::filesystem::remove_all(name); }
  endpoint socket(const std::string& file) const {
    return endpoint::parse("unix://" + std::string(name) + "/" + file).value();
  }
  char name[32] = "/tmp/troupe-env-XXXXXX";
};

descriptor listen_on(const std::string& url) {
  auto listener = world().listen(endpoint::parse(url).value(), 16);
  REQUIRE(listener.has_value());
  return std::move(*listener);
}

std::string refusal_to_listen(const endpoint& at) {
  const auto refused = world().listen(at, 16);
  REQUIRE_FALSE(refused.has_value());
  return refused.error().text;
}

}  // namespace

TEST_CASE("the clock never goes back", "[env]") {
  auto before = world().now();
  CHECK(before.time_since_epoch().count() > 0);
  for (int i = 0; i < 10000; ++i) {
    const auto now = world().now();
    REQUIRE(now >= before);
    before = now;
  }
}

TEST_CASE("random numbers do not repeat", "[env]") {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(world().random());
  CHECK(seen.size() == 1000);
}

TEST_CASE("the process is identified as the kernel sees it", "[env]") {
  CHECK(world().process_id() == ::getpid());
  CHECK(world().user_id() == ::geteuid());
  CHECK(world().processors() >= 1);
}

TEST_CASE("a thread's times only grow, one that asks is ready, and there are none of a thread that is not",
          "[env]") {
  const std::int32_t self = world().thread_id();
  CHECK(self == world().thread_id());
  troupe::thread_times before = world().times_of(self);
  for (const auto since = std::chrono::steady_clock::now();
       before.ran == troupe::duration::zero() &&
       std::chrono::steady_clock::now() - since < std::chrono::seconds(10);)
    before = world().times_of(self);  // told at the next tick
  CHECK(before.ran > troupe::duration::zero());
  CHECK(before.waited >= troupe::duration::zero());
  CHECK(before.ready);
  const troupe::thread_times after = world().times_of(self);
  CHECK(after.ran >= before.ran);
  CHECK(after.waited >= before.waited);
  const troupe::thread_times none = world().times_of(0);
  CHECK(none.ran == troupe::duration::zero());
  CHECK(none.waited == troupe::duration::zero());
  CHECK_FALSE(none.ready);
}

TEST_CASE("a TCP listener on port 0 says which port it got", "[env]") {
  std::vector<std::pair<std::string, std::string>> hosts{{"127.0.0.1", "127.0.0.1"},
                                                         {"localhost", "127.0.0.1"}};
  if (std::filesystem::exists("/proc/net/if_inet6")) hosts.emplace_back("[::1]", "::1");
  for (const auto& [host, address] : hosts) {
    const descriptor listener = listen_on("tcp://" + host + ":0");
    const endpoint bound = world().local_endpoint(listener.get());
    CHECK(bound.host == address);
    CHECK(bound.port != 0);
  }
}

TEST_CASE("sockets are non-blocking, close-on-exec and without delay", "[env]") {
  const descriptor listener = listen_on("tcp://127.0.0.1:0");
  const auto socket = world().open_socket(world().local_endpoint(listener.get()));
  REQUIRE(socket.has_value());
  for (const int fd : {listener.get(), socket->get()}) {
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    int no_delay = 0;
    socklen_t size = sizeof no_delay;
    CHECK(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size) == 0);
    CHECK(no_delay != 0);
  }
}

TEST_CASE("a port in use is refused in one line with the fix", "[env]") {
  const descriptor listener = listen_on("tcp://127.0.0.1:0");
  const endpoint taken = world().local_endpoint(listener.get());
  CHECK(
      refusal_to_listen(taken) ==
      "cannot listen on " + taken.url() +
          ": address already in use; stop the process that listens there, or choose another port (0 picks a "
          "free one)");
}

TEST_CASE("an address of another host is refused with the fix", "[env]") {
  const auto text = refusal_to_listen(endpoint::parse("tcp://192.0.2.1:0").value());
  CHECK(text ==
        "cannot listen on tcp://192.0.2.1:0: cannot assign requested address; use an address of this "
        "host, or 0.0.0.0 for all of them");
}

TEST_CASE("an unknown host is refused with its name", "[env]") {
  // A label of 64 characters is refused by the resolver itself, without asking the network.
  const endpoint nowhere = endpoint::parse("tcp://" + std::string(64, 'a') + ".invalid:1").value();
  const auto refused = world().open_socket(nowhere);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().text.find("cannot connect to " + nowhere.url() + ": unknown host (") == 0);
}

TEST_CASE("an abstract socket and a socket file say where they are bound", "[env]") {
  const temporary_folder folder;
  const bool abstract = GENERATE(true, false);
  const std::string url =
      abstract ? "unix://@troupe-env-test-" + std::to_string(::getpid()) : folder.socket("a.sock").url();
  const descriptor listener = listen_on(url);
  CHECK(world().local_endpoint(listener.get()).url() == url);
}

TEST_CASE("closing a listener removes its socket file", "[env]") {
  const temporary_folder folder;
  const endpoint at = folder.socket("a.sock");
  descriptor listener = listen_on(at.url());
  CHECK(std::filesystem::exists(at.path));
  listener.reset();
  CHECK_FALSE(std::filesystem::exists(at.path));
}

TEST_CASE("a stale socket file is replaced", "[env]") {
  const temporary_folder folder;
  const endpoint at = folder.socket("stale.sock");
  {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, at.path.data(), at.path.size());
    const descriptor dead(world(), ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  REQUIRE(std::filesystem::exists(at.path));
  CHECK(world().listen(at, 16).has_value());
}

TEST_CASE("a socket file with a listener behind it is refused and left alone", "[env]") {
  const temporary_folder folder;
  const endpoint at = folder.socket("live.sock");
  const descriptor live = listen_on(at.url());
  CHECK(refusal_to_listen(at).find("address already in use; stop the process") != std::string::npos);
  CHECK(std::filesystem::exists(at.path));
}

TEST_CASE("an ordinary file in the place of a socket is refused and left alone", "[env]") {
  const temporary_folder folder;
  const endpoint at = folder.socket("precious.txt");
  std::ofstream(at.path) << "precious";
  CHECK(refusal_to_listen(at).find("address already in use") != std::string::npos);
  CHECK(std::filesystem::file_size(at.path) == 8);
}

TEST_CASE("a socket path without its folder is refused with the fix", "[env]") {
  const temporary_folder folder;
  CHECK(refusal_to_listen(folder.socket("missing/a.sock")).find("no such file or directory; create") !=
        std::string::npos);
}

TEST_CASE("descriptors arrive with their bytes, close-on-exec, as the same files", "[env]") {
  const auto [left, right] = local_pair();
  const descriptor a = memfd(4096, F_SEAL_SEAL);
  const descriptor b = memfd(8192, F_SEAL_SEAL);
  const std::array<std::byte, 3> bytes{std::byte{1}, std::byte{2}, std::byte{3}};
  const std::array<int, 2> sent{a.get(), b.get()};
  REQUIRE(world().send_descriptors(left.get(), bytes, sent).has_value());

  std::array<std::byte, 16> into{};
  const auto got = world().receive_descriptors(right.get(), into, 2);
  REQUIRE(got.has_value());
  CHECK(got->bytes == 3);
  CHECK(into[2] == std::byte{3});
  REQUIRE(got->descriptors.size() == 2);
  CHECK(inode(got->descriptors[0].get()) == inode(a.get()));
  CHECK(inode(got->descriptors[1].get()) == inode(b.get()));
  CHECK((::fcntl(got->descriptors[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("of 100 descriptors in one message none that was not asked for stays open", "[env]") {
  const std::size_t at_most = GENERATE(0u, 1u, 2u, 99u);
  const auto [left, right] = local_pair();
  const descriptor file = memfd(4096, F_SEAL_SEAL);
  const std::vector<int> flood(100, file.get());
  const std::size_t before = open_descriptors();
  REQUIRE(world().send_descriptors(left.get(), one_byte, flood).has_value());
  {
    std::array<std::byte, 1> into{};
    const auto got = world().receive_descriptors(right.get(), into, at_most);
    REQUIRE(got.has_value());
    CHECK(got->bytes == 1);
    CHECK(got->descriptors.size() == at_most);
    CHECK(open_descriptors() == before + at_most);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("receiving descriptors tells nothing-yet from end of stream", "[env]") {
  auto [left, right] = local_pair();
  std::array<std::byte, 1> into{};
  CHECK(world().receive_descriptors(right.get(), into, 1).error() == errc::full);
  left.reset();
  CHECK(world().receive_descriptors(right.get(), into, 1).error() == errc::closed);
}

TEST_CASE("sending descriptors reports a full socket, a gone peer and too much", "[env]") {
  auto [left, right] = local_pair();
  const std::vector<std::byte> page(4096);
  CHECK(world().send_descriptors(left.get(), std::vector<std::byte>(4097), {}).error() == errc::too_large);
  CHECK(world().send_descriptors(left.get(), page, std::vector<int>(254, 0)).error() == errc::too_large);

  auto sent = world().send_descriptors(left.get(), page, {});
  for (int i = 0; i < 10000 && sent; ++i) sent = world().send_descriptors(left.get(), page, {});
  REQUIRE(sent.has_error());
  CHECK(sent.error() == errc::full);
  right.reset();
  CHECK(world().send_descriptors(left.get(), page, {}).error() == errc::closed);
}

TEST_CASE("a segment's bytes are seen by who maps it, and by nobody else written", "[env]") {
  auto segment = world().create_segment(8192);
  REQUIRE(segment.has_value());
  auto& [file, memory] = *segment;
  REQUIRE(memory.size() == 8192);
  CHECK(memory.data()[8191] == std::byte{0});
  const auto seen = world().map_segment(file.get(), 8192);
  REQUIRE(seen.has_value());
  memory.data()[8191] = std::byte{42};
  CHECK(seen->data()[8191] == std::byte{42});

  CHECK(::mprotect(seen->data(), 4096, PROT_READ | PROT_WRITE) != 0);
  CHECK(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0) == MAP_FAILED);
  CHECK(::pwrite(file.get(), "x", 1, 0) == -1);
  CHECK(::ftruncate(file.get(), 0) == -1);
  CHECK(::ftruncate(file.get(), 65536) == -1);
  CHECK(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == -1);
  CHECK(errno == EPERM);
  const std::string again = "/proc/self/fd/" + std::to_string(file.get());
  const descriptor reopened(world(), ::open(again.c_str(), O_RDWR | O_CLOEXEC));
  if (reopened) CHECK(::mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, reopened.get(), 0) == MAP_FAILED);
}

TEST_CASE("a segment is refused before mapping unless it is sealed and whole", "[env]") {
  const auto refused = [](const descriptor& file, std::size_t size) {
    const auto mapped = world().map_segment(file.get(), size);
    return mapped.has_error() && mapped.error() == errc::bad_message;
  };
  CHECK(world().map_segment(memfd(4096, all_seals).get(), 4096).has_value());

  CHECK(refused(memfd(4096, 0), 4096));
  for (const int missing : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE, F_SEAL_SEAL})
    CHECK(refused(memfd(4096, all_seals & ~missing), 4096));
  CHECK(refused(memfd(4096, all_seals), 8192));  // short
  CHECK(refused(memfd(8192, all_seals), 4096));
  CHECK(refused(memfd(0, all_seals), 0));
  const descriptor plain(world(), ::open("/dev/zero", O_RDWR | O_CLOEXEC));
  CHECK(refused(plain, 4096));
  CHECK(refused(descriptor(), 4096));
}

TEST_CASE("an event is readable from its signal to its drain", "[env]") {
  const auto event = world().open_event();
  REQUIRE(event.has_value());
  CHECK_FALSE(readable(event->get(), 0));
  world().drain_event(event->get());  // does not wait

  errno = 77;
  world().signal_event(event->get());
  world().signal_event(event->get());
  CHECK(readable(event->get(), 0));
  world().drain_event(event->get());
  CHECK_FALSE(readable(event->get(), 0));
  world().drain_event(event->get());
  CHECK(errno == 77);
}

TEST_CASE("a doorbell that rang is heard once, and is known from what cannot be heard", "[env]") {
  auto bell = world().open_doorbell();
  REQUIRE(bell.has_value());
  const descriptor ear(world(), ::dup(bell->heard.get()));
  CHECK(world().can_hear(ear.get()));
  CHECK(world().hear(ear.get()));  // does not wait
  CHECK_FALSE(readable(ear.get(), 0));
  for (int i = 0; i < 10; ++i) world().ring(bell->rung.get());
  CHECK(readable(ear.get(), 0));
  CHECK(world().hear(ear.get()));
  CHECK_FALSE(readable(ear.get(), 0));
  for (int i = 0; i < 100'000; ++i) world().ring(bell->rung.get());  // nor does this
  CHECK(readable(ear.get(), 0));
  CHECK(::fcntl(ear.get(), F_SETFL, 0) == 0);  // which either side can do to the end that they share
  while (readable(ear.get(), 0)) REQUIRE(world().hear(ear.get()));
  CHECK(world().hear(ear.get()));
  const auto event = world().open_event();
  const descriptor stream(world(), ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (const int none : {event->get(), stream.get(), bell->rung.get(), -1})
    CHECK_FALSE(world().can_hear(none));
  bell->rung.reset();
  CHECK_FALSE(world().hear(ear.get()));  // nobody rings any more
}

TEST_CASE("a doorbell is heard whatever signals come", "[env]") {
  const auto bell = world().open_doorbell();
  REQUIRE(bell.has_value());
  struct sigaction action{};
  struct sigaction saved{};
  action.sa_handler = [](int) {};
  REQUIRE(::sigaction(SIGUSR1, &action, &saved) == 0);
  std::atomic<bool> over{false};
  std::thread signals([&over, whom = ::pthread_self()] {
    while (!over.load()) ::pthread_kill(whom, SIGUSR1);
  });
  bool heard = true;
  for (int i = 0; i < 200'000 / TROUPE_TEST_SLOWDOWN; ++i) heard = heard && world().hear(bell->heard.get());
  over.store(true);
  signals.join();
  ::sigaction(SIGUSR1, &saved, nullptr);
  CHECK(heard);
}

TEST_CASE("a local peer is known by user, process and a pidfd that tells its end", "[env]") {
  const endpoint at = endpoint::parse("unix://@troupe-peer-" + std::to_string(::getpid())).value();
  const descriptor listener = listen_on(at.url());
  const auto dialler = world().open_socket(at);
  REQUIRE(dialler.has_value());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, at.path.data() + 1, at.path.size() - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + at.path.size());

  int hold[2] = {-1, -1};
  REQUIRE(::pipe(hold) == 0);
  const pid_t child = ::fork();
  if (child == 0) {  // connects, then lives until the parent lets go of the pipe
    ::close(hold[1]);
    if (::connect(dialler->get(), reinterpret_cast<sockaddr*>(&address), size) != 0) ::_exit(1);
    char c = 0;
    ::_exit(::read(hold[0], &c, 1) == 0 ? 0 : 2);
  }
  ::close(hold[0]);
  REQUIRE(readable(listener.get(), 5000));
  const descriptor accepted(world(), ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const auto peer = world().peer_of(accepted.get());
  REQUIRE(peer.has_value());
  CHECK(peer->uid == ::geteuid());
  CHECK(peer->pid == child);
  REQUIRE(peer->pidfd);
  CHECK_FALSE(readable(peer->pidfd.get(), 0));
  ::close(hold[1]);
  CHECK(readable(peer->pidfd.get(), 5000));
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a TCP socket vouches for no process", "[env]") {
  const descriptor listener = listen_on("tcp://127.0.0.1:0");
  const auto peer = world().peer_of(listener.get());
  REQUIRE(peer.has_value());
  CHECK(peer->pid == 0);
  CHECK_FALSE(peer->pidfd);
}
