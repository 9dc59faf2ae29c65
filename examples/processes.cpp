// Programs as actors: a pipe through `sort`, and a worker process that is back by the same ref each time it has crashed.
#include <csignal>
#include <cstdio>
#include <troupe/troupe.hpp>

using namespace std::chrono_literals;

struct square {
  std::int64_t of;
  using reply = std::int64_t;
};
struct crash {};
using worker = troupe::protocol<square, crash>;

// The worker's process.

troupe::actor run_worker(troupe::self<worker> me) {
  co_await me.serve([](square s) { return s.of * s.of; }, [](crash) { std::raise(SIGKILL); });
}

troupe::task<int> be_the_worker(troupe::node& node) {
  const auto published = co_await node.publish("worker", node.spawn(run_worker));
  if (!published) co_return 1;
  for (;;) co_await troupe::sleep_operation(1h);  // until it is asked to end
}

// The supervisor's.

troupe::task<bool> print_sorted(std::string lines) {
  troupe::program sort;
  sort.path = "sort";
  sort.in = sort.out = troupe::stdio::stream;
  const auto child = troupe::process::start(sort);
  if (!child) {
    std::fprintf(stderr, "%s\n", child.error().text.c_str());
    co_return false;
  }
  (void)co_await child->in().write(lines);
  child->in().close();
  for (;;) {
    const auto line = co_await child->out().read_line(80);
    if (!line) break;
    std::printf("%s\n", line->c_str());
  }
  const troupe::exit_status how = co_await child->ended();
  co_return how.success();
}

/// What was with a worker that died has failed, and may be asked again.
troupe::task<std::int64_t> squared(troupe::ref<worker> by, std::int64_t number) {
  for (;;) {
    const auto answer = co_await by.ask<square>(number).within(10s);
    if (answer) co_return *answer;
  }
}

troupe::task<int> supervise(troupe::node& node) {
  troupe::program itself;
  itself.path = "/proc/self/exe";
  itself.arguments = {"worker"};
  const troupe::ref<worker> to =
      node.spawn(troupe::restart_on_failure(troupe::run_service<worker>), itself, "worker");
  for (std::int64_t number = 7; number < 10; ++number) {
    const std::int64_t result = co_await squared(to, number);
    std::printf("%lld\n", static_cast<long long>(result));
    (void)co_await to.send<crash>();
  }
  const bool sorted = co_await print_sorted("plum\nfig\napple\n");
  co_return sorted ? 0 : 1;
}

troupe::task<int> start(troupe::node& node, troupe::arguments given) {
  const bool worker_process = !given.empty() && given.front() == "worker";
  return worker_process ? be_the_worker(node) : supervise(node);
}

int main(int argc, char** argv) { return troupe::run(argc, argv, start); }
