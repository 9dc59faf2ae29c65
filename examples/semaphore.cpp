// A semaphore across processes: a permit belongs to an actor, and comes back when that ends, or when the link to it does.
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <troupe/troupe.hpp>

using namespace std::chrono_literals;

struct acquire {  // answered when it is the holder's turn
  troupe::ref<> holder;
  using reply = void;
};
using semaphore = troupe::protocol<acquire, troupe::down>;

troupe::actor run_semaphore(troupe::self<semaphore> me, int permits) {
  while (!me.stopping()) {
    if (permits > 0) {
      (void)co_await me.receive([&](const troupe::down&) { ++permits; },
                                [&](acquire a) {
                                  me.monitor(a.holder);
                                  --permits;
                                });
    } else {  // whoever wants to come in waits in the mailbox
      const auto ended = co_await me.receive<troupe::down>();
      if (ended) ++permits;
    }
  }
}

troupe::actor run_holder(troupe::self<troupe::protocol<>> me) { co_await me.serve(); }
struct work {
  troupe::ref<semaphore> gate;
  bool dies;
  using reply = void;
};

/// There are two, and the kernel lets only one process listen at each: so it is its word that there is room.
troupe::result<troupe::listener, troupe::setup_error> take_seat() {
  const std::string seats = "unix://@seat-of-" + std::to_string(::getppid());
  auto first = troupe::listener::open(seats + "-1");
  return first ? first : troupe::listener::open(seats + "-2");
}

troupe::actor run_worker(troupe::self<work> me) {
  co_await me.node().publish("worker", me.me());
  co_await me.serve([&](work w) -> troupe::task<void> {
    for (int n = 0; n < 25; ++n) {
      const auto holder = me.spawn(run_holder);
      const auto turn = co_await w.gate.ask<acquire>(holder);
      const auto seat = take_seat();
      if (!turn || !seat) throw std::runtime_error("there is no room");
      co_await me.sleep(1ms);
      seat->close();
      if (w.dies) std::raise(SIGKILL);
      me.node().stop(holder);  // which releases the permit
    }
  });
}

troupe::task<void> send_in(troupe::node& node, troupe::ref<semaphore> gate, bool dies) {
  const troupe::program itself{.path = "/proc/self/exe", .arguments = {"worker"}};
  const troupe::ref<work> worker = node.spawn(troupe::run_service<work>, itself, "worker");
  const auto done = co_await worker.ask<work>(gate, dies).within(60s);
  if (done.error() != (dies ? troupe::errc::link_down : troupe::errc::ok))
    throw std::runtime_error(done.error().text());
  std::puts(dies ? "a worker was killed inside" : "a worker was inside 25 times");
}

troupe::task<int> start(troupe::node& node, troupe::arguments given) {
  if (!given.empty()) node.spawn(run_worker);
  while (!given.empty()) co_await troupe::sleep_operation(1h);  // until it is asked to end
  const auto gate = node.spawn(run_semaphore, 2);
  std::vector<troupe::task<void>> workers;
  for (int n = 0; n < 6; ++n) workers.push_back(send_in(node, gate, n < 3));  // 3 die, with 2 permits
  co_await troupe::when_all(std::move(workers));
  std::puts("never more than two at a time");
  co_return 0;
}

int main(int argc, char** argv) { return troupe::run(argc, argv, start); }
