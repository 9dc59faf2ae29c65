// The I/O driver's turns, on both backends: sleeping, waking, many operations at once; and which backend is
// chosen.
#include "catch.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "io_driver_kit.hpp"

using namespace troupe::test;
using troupe::descriptor;
using troupe::instant;
using troupe::io_backend;

TEST_CASE("a wake ends the sleep it meets, or the next one, on whichever thread the driver is turned",
          "[io]") {
  OPEN_DRIVER(io);
  const instant start = world().now();
  io->wake();  // before the first turn
  std::thread worker([&] { io->turn(start + 20s); });
  worker.join();
  CHECK(world().now() < start + 10s);
}

TEST_CASE("a wake between sleeps is not lost to a turn that does not sleep", "[io]") {
  OPEN_DRIVER(io);
  const instant start = world().now();
  recorded wait;
  auto event = world().open_event();
  io->wait_readable(wait, event->get());  // so that even an idle driver looks at the kernel
  io->turn(std::nullopt);
  io->wake();
  for (int i = 0; i < 10; ++i) io->turn(std::nullopt);
  io->turn(start + 20s);
  CHECK(world().now() < start + 10s);
  io->cancel(wait);
  CHECK(finish(*io, wait) == -ECANCELED);
  close(*io, *event);
}

TEST_CASE("two threads that wake each other in turn never miss a wake", "[io]") {
  OPEN_DRIVER(io);
  const auto other = open_driver(io->backend());
  constexpr int rounds = 2000;
  std::atomic<int> ball{0};
  const instant give_up = world().now() + 60s;
  const auto play = [&](io_driver& mine, io_driver& theirs, int parity) {
    for (int mark = parity; mark < rounds; mark += 2) {
      while (ball.load() < mark && world().now() < give_up) mine.turn(give_up);
      ball.store(mark + 1);
      theirs.wake();
    }
  };
  std::thread second([&] { play(*other, *io, 1); });
  std::thread first([&] { play(*io, *other, 0); });
  first.join();
  second.join();
  CHECK(ball.load() == rounds);
  CHECK(world().now() < give_up);
}

namespace {
io_driver* woken_by_signal = nullptr;
}

TEST_CASE("a signal handler may wake the driver", "[io]") {
  OPEN_DRIVER(io);
  const instant start = world().now();
  woken_by_signal = io.get();
  struct sigaction action{};
  struct sigaction saved{};
  action.sa_handler = [](int) { woken_by_signal->wake(); };
  REQUIRE(::sigaction(SIGUSR1, &action, &saved) == 0);
  ::raise(SIGUSR1);
  io->turn(start + 20s);
  ::sigaction(SIGUSR1, &saved, nullptr);
  CHECK(world().now() < start + 10s);
}

TEST_CASE("a sleep lasts until its deadline and uses no processor time", "[io]") {
  OPEN_DRIVER(io);
  const auto cpu_time = [] {
    rusage u{};
    ::getrusage(RUSAGE_THREAD, &u);
    return std::chrono::seconds(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           std::chrono::microseconds(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
  };
  const auto sleep_until = [&](instant until) {
    int turns = 0;
    while (world().now() < until) {
      io->turn(until);
      ++turns;
    }
    return turns;
  };
  io->turn(world().now() - 1s);
  io->wake();
  io->turn(world().now() + 20s);  // a wake ends one sleep, not those after it
  const auto used = cpu_time();
  const instant until = world().now() + 150ms;
  CHECK(sleep_until(until) <= 3);
  CHECK(sleep_until(until + 100us) <= 3);
  CHECK(sleep_until(until + 50ms) <= 3);
  CHECK(cpu_time() - used < 50ms);
}

TEST_CASE("a shorter sleep follows a longer one that a wake ended", "[io]") {
  OPEN_DRIVER(io);
  const instant start = world().now();
  io->wake();
  io->turn(start + 60s);
  while (world().now() < start + 20ms) io->turn(start + 20ms);
  io->wake();
  io->turn(instant::max());
  CHECK(world().now() < start + 10s);
}

TEST_CASE("a turn that completed something does not sleep", "[io]") {
  OPEN_DRIVER(io);
  auto [left, right] = local_pair();
  const instant start = world().now();
  recorded send;
  io->send(send, left.get(), bytes("x"));
  io->turn(start + 20s);
  CHECK(finish(*io, send) == 1);
  CHECK(world().now() < start + 10s);
  close(*io, left);
  close(*io, right);
}

TEST_CASE("a thousand receives and a thousand sends are in flight together and none gets lost", "[io]") {
  OPEN_DRIVER(io);
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);

  constexpr std::size_t pairs = 500;
  std::vector<descriptor> sockets;
  for (std::size_t i = 0; i < pairs; ++i) {
    auto [left, right] = local_pair();
    sockets.push_back(std::move(left));
    sockets.push_back(std::move(right));
  }
  std::vector<recorded> receives(2 * pairs), sends(2 * pairs);
  std::vector<std::uint32_t> numbers(2 * pairs), got(2 * pairs);
  for (std::size_t i = 0; i < 2 * pairs; ++i)
    io->receive(receives[i], sockets[i].get(), std::as_writable_bytes(std::span(&got[i], 1)));
  io->turn(std::nullopt);
  for (std::size_t i = 0; i < 2 * pairs; ++i) {
    numbers[i] = static_cast<std::uint32_t>(i);
    io->send(sends[i], sockets[i].get(), std::as_bytes(std::span(&numbers[i], 1)));
  }
  const auto all_done = [&] {
    for (std::size_t i = 0; i < 2 * pairs; ++i)
      if (receives[i].runs == 0 || sends[i].runs == 0) return false;
    return true;
  };
  REQUIRE(turn_until(*io, all_done));
  std::size_t right_ones = 0;
  for (std::size_t i = 0; i < 2 * pairs; ++i)
    if (receives[i].runs == 1 && sends[i].runs == 1 && receives[i].result == 4 && got[i] == (i ^ 1))
      ++right_ones;
  CHECK(right_ones == 2 * pairs);
  for (descriptor& d : sockets) close(*io, d);
}

TEST_CASE("more completions at once than the kernel's queue holds arrive, each once", "[io]") {
  OPEN_DRIVER(io);
  const bool cancelled_too = GENERATE(false, true);
  std::vector<descriptor> events;
  std::vector<recorded> waits(900);
  for (auto& wait : waits) {
    auto event = world().open_event();
    REQUIRE(event.has_value());
    io->wait_readable(wait, event->get());
    events.push_back(std::move(*event));
  }
  io->turn(std::nullopt);
  for (auto& event : events) world().signal_event(event.get());
  if (cancelled_too)
    for (auto& wait : waits) io->cancel(wait);
  const auto all_done = [&] {
    for (const auto& wait : waits)
      if (wait.runs == 0) return false;
    return true;
  };
  const instant give_up = world().now() + 20s;
  while (!all_done() && world().now() < give_up) io->turn(std::nullopt);
  std::size_t once = 0;
  for (const auto& wait : waits)
    if (wait.runs == 1 && (wait.result == 0 || wait.result == -ECANCELED)) ++once;
  CHECK(once == waits.size());
  for (descriptor& d : events) close(*io, d);
}

namespace {

/// Sends and receives itself again from its own handler.
struct relay : io_operation {
  relay(io_driver& d, int from, int to) : io_operation(&step), driver(d), in(from), out(to) {}
  void begin() { driver.receive(*this, in, std::span(&byte, 1)); }
  static void step(io_operation& self, std::int32_t result) noexcept {
    auto& r = static_cast<relay&>(self);
    if (result != 1) return r.broken = true, void();
    r.receiving = !r.receiving;
    if (!r.receiving) return r.driver.send(r, r.out, std::span<const std::byte>(&r.byte, 1));
    if (--r.left > 0) r.begin();
  }
  io_driver& driver;
  int in, out;
  std::byte byte{};
  bool receiving = true;
  bool broken = false;
  int left = 5000;
};

}  // namespace

TEST_CASE("handlers start further operations without growing the stack", "[io]") {
  OPEN_DRIVER(io);
  auto [a, b] = local_pair();
  relay there(*io, a.get(), a.get());
  relay back(*io, b.get(), b.get());
  there.begin();
  back.begin();
  recorded kick;
  io->send(kick, a.get(), bytes("x"));
  CHECK(finish(*io, kick) == 1);
  // One byte goes round; the side that receives it last leaves the other one waiting.
  REQUIRE(turn_until(*io, [&] { return there.left == 0 || back.left == 0 || there.broken || back.broken; }));
  CHECK_FALSE(there.broken);
  CHECK_FALSE(back.broken);
  for (relay* r : {&there, &back})
    if (r->in_flight) io->cancel(*r);
  REQUIRE(turn_until(*io, [&] { return !there.in_flight && !back.in_flight; }));
  close(*io, a);
  close(*io, b);
}

namespace {

/// Makes the kernel refuse io_uring_setup to this process, as containers do.
bool refuse_uring(int number) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(number)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// What `child` wrote to the descriptor it was given, run in a process of its own.
template <class Child>
std::string said_by(Child child) {
  int pipe[2] = {-1, -1};
  REQUIRE(::pipe(pipe) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    child(pipe[1]);
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string said;
  std::array<char, 512> part{};
  for (ssize_t n = 0; (n = ::read(pipe[0], part.data(), part.size())) > 0;)
    said.append(part.data(), static_cast<std::size_t>(n));
  ::close(pipe[0]);
  REQUIRE(::waitpid(pid, nullptr, 0) == pid);
  return said;
}

void say(int fd, const std::string& text) {
  [[maybe_unused]] const auto ignored = ::write(fd, text.data(), text.size());
}

}  // namespace

TEST_CASE("where io_uring is refused, automatic takes Asio and says why and what to do", "[io]") {
  const auto [number, reason] = GENERATE(table<int, std::string>(
      {{EPERM, "asio: io_uring refused (EPERM: operation not permitted; allow io_uring_setup in "},
       {ENOSYS, "asio: io_uring refused (ENOSYS: function not implemented; Linux 5.11 or newer "},
       {EOPNOTSUPP, "asio: io_uring refused (EOPNOTSUPP: operation not supported; "}}));
  const std::string said = said_by([refusal = number](int out) {
    if (!refuse_uring(refusal)) return say(out, "no seccomp");
    std::string note;
    const auto io = world().open_io(io_backend::automatic, note);
    if (!io || (*io)->backend() != io_backend::asio) return say(out, "not asio");
    (*io)->wake();
    (*io)->turn(world().now() + 20s);  // it works
    say(out, note);
  });
  CAPTURE(said);
  CHECK(said.find(reason) == 0);
  CHECK(said.find('\n') == std::string::npos);
}

TEST_CASE("where io_uring is refused, asking for it is an error with the fix", "[io]") {
  const std::string said = said_by([](int out) {
    if (!refuse_uring(EPERM)) return say(out, "no seccomp");
    std::string note;
    const auto io = world().open_io(io_backend::uring, note);
    say(out, io ? "opened" : io.error().text);
  });
  CHECK(said.find("io_uring refused (EPERM: operation not permitted; allow io_uring_setup") == 0);
  CHECK(said.find("use --io asio or --io auto") != std::string::npos);
}

TEST_CASE("a backend that is asked for is the one that is used", "[io]") {
  for (const io_backend backend : backends()) {
    std::string note;
    const auto io = world().open_io(backend, note);
    REQUIRE(io.has_value());
    CHECK((*io)->backend() == backend);
    CHECK_FALSE(note.empty());
  }
}
