// Rows 26 and 27: processes that are copied by fork(), that are dead and not yet reaped, and whose number another process has by now.
#include "remote_support.hpp"

#include <linux/sched.h>
#include <sys/syscall.h>

#include <troupe/down.hpp>

namespace forks {

struct item {
  std::uint64_t number;
};
struct sum {
  using reply = std::uint64_t;
};
using counting = troupe::protocol<item, sum>;

inline troupe::actor run_counter(troupe::self<counting> me) {
  std::uint64_t all = 0;
  co_await me.serve([&](item i) { all += i.number; }, [&](sum) { return all; });
}
inline troupe::actor run_watcher(troupe::self<troupe::down> me, troupe::ref<> whom, test::book log) {
  me.monitor(whom);
  log->add("watching");
  co_await me.serve([&](const troupe::down& d) { log->add(std::string(troupe::to_string(d.reason.kind))); });
}

/// A node with a counter; says where it listens, and does `then` once front is linked with it.
template <class Then>
auto counting_process(Then then) {
  return [then](auto say) {
    auto node = troupe::node::start({.name = "back", .listen = {"tcp://127.0.0.1:0"}, .workers = 1});
    if (!node) ::_exit(1);
    const auto who = node->spawn(run_counter);
    test::play(*node, [&](test::self<troupe::protocol<>>& me) -> troupe::task<void> {
      (void)co_await me.node().publish("counter", who);
    });
    say(node->endpoints()[0]);
    if (!test::eventually([&] { return test::link_to(*node, "front").lane == "shm"; })) ::_exit(1);
    then(say);
    test::stay();
  };
}

inline troupe::ref<counting> counter_of(troupe::node& from) {
  troupe::ref<counting> found;
  test::play(from, [&](test::self<troupe::protocol<>>& me) -> troupe::task<void> {
    found = (co_await me.node().lookup<counting>("counter").within(test::patience)).value();
  });
  return found;
}

/// A process that does nothing, of that number; -1 where nobody may choose one.
inline pid_t impostor(pid_t number) {
  clone_args args{};
  args.exit_signal = SIGCHLD;
  args.set_tid = reinterpret_cast<std::uintptr_t>(&number);
  args.set_tid_size = 1;
  const auto made = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  while (made == 0) ::syscall(SYS_pause);
  return made;
}

}  // namespace forks

using namespace test;
using namespace forks;
using nothing = troupe::protocol<>;

TEST_CASE("row 26: a copy of a process with a running node cannot use it, and doubles nothing") {
  child_process back(counting_process([](auto) {}));
  troupe::node front = start({.name = "front", .workers = 2});
  join(front, back.line());
  const auto far = counter_of(front);
  const auto near = front.spawn(run_counter);
  std::uint64_t expected = 0;
  const auto send_some = [&] {
    for (std::uint64_t n = 1; n <= 100; ++n) {
      expected += n;
      CHECK(far.blocking_send<item>(patience, n).has_value());
      CHECK(near.blocking_send<item>(patience, n).has_value());
    }
  };
  send_some();
  const pid_t copy = ::fork();
  if (copy == 0) {
    ::alarm(60);  // if anything here waits for ever
    (void)near.try_send<item>(1'000'000u);
    (void)far.try_send<item>(1'000'000u);
    if (near.blocking_ask<sum>(50ms) || far.blocking_ask<sum>(50ms)) ::_exit(2);
    (void)front.spawn(run_counter);
    if (!front.stop()) ::_exit(3);
    {
      const troupe::node given_up = std::move(front);
    }
    ::_exit(0);
  }
  send_some();
  int status = -1;
  REQUIRE(::waitpid(copy, &status, 0) == copy);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  send_some();
  CHECK(far.blocking_ask<sum>(patience).value() == expected);
  CHECK(near.blocking_ask<sum>(patience).value() == expected);
  front.stop(near);
  CHECK(eventually([&] { return front.live_actors() == 2; }));
  settled(front);
  check_stops(front);
}

TEST_CASE("row 26: a process that leaves copies of itself behind is dead all the same, and at once") {
  auto quickest = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 3; ++i) {
    child_process back(counting_process([](auto say) {
      const pid_t copy = ::fork();  // has all of its descriptors, its end of the connection among them
      if (copy == 0) ::prctl(PR_SET_PDEATHSIG, 0);
      while (copy == 0) ::pause();
      say(std::to_string(copy));
    }));
    troupe::node front = start({.name = "front", .workers = 1});
    join(front, back.line());
    const pid_t copy = std::stoi(back.line());
    const auto log = new_book();
    const auto watcher = front.spawn(run_watcher, counter_of(front), log);
    REQUIRE(log->wait_for(1).size() == 1);
    const auto from = std::chrono::steady_clock::now();
    back.signal(SIGKILL);
    CHECK(log->wait_for(2) == lines{"watching", "died"});
    quickest = std::min(quickest, std::chrono::steady_clock::now() - from);
    ::kill(copy, SIGKILL);
    front.stop(watcher);
    check_stops(front);
  }
  // Who waited for the end of the connection as well would have patience for 100 ms.
  CHECK(quickest < troupe::duration(100ms));
}

TEST_CASE("row 27: a peer that is a zombie is dead, and so is one whose number another process has") {
  for (const bool reused : {false, true}) {
    INFO((reused ? "reused" : "zombie"));
    child_process back(counting_process([](auto) {}));
    troupe::node front = start({.name = "front", .workers = 1});
    join(front, back.line());
    const auto log = new_book();
    const auto watcher = front.spawn(run_watcher, counter_of(front), log);
    REQUIRE(log->wait_for(1).size() == 1);
    const pid_t pid = back.pid();
    pid_t other = -1;
    if (reused) {
      const auto held = std::make_shared<gate>();
      front.spawn(run_until_open, held);  // the worker looks at nothing until all is over
      back.kill();
      other = impostor(pid);
      held->open();
      if (other < 0) std::printf("SKIPPED: this process may not choose the number of a new one (clone3)\n");
      if (other > 0) CHECK(other == pid);
    } else {
      back.signal(SIGKILL);  // and nobody reaps it
    }
    CHECK(log->wait_for(2) == lines{"watching", "died"});
    CHECK(eventually([&] { return link_to(front, "back").lane == "none"; }));
    if (other > 0) {
      CHECK(::waitpid(other, nullptr, WNOHANG) == 0);  // nothing was done to it
      ::kill(other, SIGKILL);
      ::waitpid(other, nullptr, 0);
    }
    front.stop(watcher);
    CHECK(eventually([&] { return front.live_actors() == 1; }));
    settled(front);
    check_stops(front);
  }
}
