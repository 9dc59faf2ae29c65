// Idle means 0 % CPU: a node alone, and one with three live links, measured in a process of its own.
#include "remote_support.hpp"

#include <sys/resource.h>

using namespace test;
using nothing = troupe::protocol<>;

namespace remote_idle {
struct never {
  using reply = int;
};
}  // namespace remote_idle

namespace {

constexpr auto measured = 1s;
constexpr auto allowed = 20ms;  // in that second; the target is 2 ms

actor run_silent(self<remote_idle::never> me) {
  co_await me.serve([&](remote_idle::never) -> troupe::task<int> {
    co_await me.sleep(1h);
    co_return 0;
  });
}

std::chrono::microseconds cpu_time() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

/// The CPU time and the context switches of a second in which this process only waits for an ask to expire.
std::string spend_idle(troupe::node& n) {
  const auto silent = n.spawn(run_silent);
  (void)silent.blocking_ask<remote_idle::never>(20ms);  // settled: every thread has run and gone to sleep
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const auto cpu_before = cpu_time();
  const auto asked = silent.blocking_ask<remote_idle::never>(measured);
  const auto cpu = cpu_time() - cpu_before;
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  n.kill(silent);
  if (asked.error() != errc::expired) return "not expired";
  return std::to_string(cpu.count()) + " " + std::to_string(after.ru_nvcsw - before.ru_nvcsw);
}

void check_idle(child_process& measuring) {
  const std::string said = measuring.line();
  INFO("CPU time in microseconds, and voluntary context switches: " << said);
  REQUIRE(said.find(' ') != std::string::npos);
  CHECK(std::stoll(said) < std::chrono::microseconds(allowed).count());
  CHECK(std::stoll(said.substr(said.find(' '))) < 100);  // how often its threads woke up
  CHECK(measuring.wait() == 0);
}

}  // namespace

TEST_CASE("idle: a node alone takes no CPU time") {
  for (const auto io : {troupe::io_backend::automatic, troupe::io_backend::asio}) {
    INFO(troupe::to_string(io));
    child_process measuring([&](auto say) {
      troupe::node_options options;
      options.name = "alone";
      options.listen = {"tcp://127.0.0.1:0"};
      options.workers = 2;
      options.io = io;
      troupe::node alone = start(options);
      say(spend_idle(alone));
      CHECK(alone.stop());
    });
    check_idle(measuring);
  }
}

TEST_CASE("idle: a node with three live links takes no CPU time") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    std::vector<std::unique_ptr<child_process>> peers;
    std::vector<std::string> urls;
    for (int i = 0; i < 3; ++i) {
      peers.push_back(std::make_unique<child_process>([&](auto say) {
        troupe::node_options options = how.options("peer-" + std::to_string(i));
        options.mesh = 0;  // else they would still be meeting each other
        troupe::node peer = start_listening(std::move(options));
        say(peer.endpoints()[0]);
        stay();
      }));
      urls.push_back(peers.back()->line());
    }
    child_process measuring([&](auto say) {
      troupe::node_options options = how.options("center");
      options.mesh = 0;
      troupe::node center = start(std::move(options));
      for (const std::string& url : urls) join(center, url);
      std::string lanes;
      for (const troupe::link_info& l : center.links()) lanes += l.lane + (l.frames_out > 0 ? " " : "? ");
      say(lanes);
      say(spend_idle(center));
      CHECK(center.stop());
    });
    const std::string lane = how.lane();
    CHECK(measuring.line() == lane + " " + lane + " " + lane + " ");
    check_idle(measuring);
  }
}
