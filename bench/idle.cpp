// CPU time of an idle node over ten seconds: alone, and with three live links (two over shared memory, one
// over TCP). Target: under 20 ms each. Prints one line a case; exit 1 if a case misses.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <troupe/troupe.hpp>

namespace {

constexpr std::chrono::seconds window(10);

troupe::actor wait_for_nothing(troupe::self<troupe::protocol<>> self) { co_await self.serve(); }

troupe::actor join_all(troupe::self<troupe::protocol<>> self, std::vector<std::string> urls) {
  for (const std::string& url : urls) {
    const auto joined = co_await self.node().join(url);
    if (!joined) std::fprintf(stderr, "%s\n", joined.error().text.c_str());
  }
  co_await self.serve();
}

double cpu_ms() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

/// Runs `peers` other nodes in processes of their own, and measures this process after everything is linked.
double measure(int shm_peers, int tcp_peers) {
  std::vector<pid_t> children;
  std::vector<std::string> urls;
  for (int i = 0; i < shm_peers + tcp_peers; ++i) {
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return -1;
    const pid_t child = fork();
    if (child == 0) {
      troupe::set_log_sink([](troupe::log_level, std::string_view) {});
      auto node = troupe::node::start(
          {.name = "peer" + std::to_string(i),
           .listen = {"tcp://127.0.0.1:0"},
           .workers = 1,
           .lanes = i < shm_peers ? troupe::lane_choice::automatic : troupe::lane_choice::tcp});
      if (!node) _exit(2);
      node->spawn(wait_for_nothing);
      const std::string url = node->endpoints().front();
      (void)!write(pipe_ends[1], url.data(), url.size());
      close(pipe_ends[1]);
      pause();
      _exit(0);
    }
    close(pipe_ends[1]);
    char url[128] = {};
    (void)!read(pipe_ends[0], url, sizeof url - 1);
    close(pipe_ends[0]);
    children.push_back(child);
    urls.emplace_back(url);
  }
  double used = 0;
  {
    auto node = troupe::node::start({.name = "idle", .workers = 2});
    if (!node) return -1;
    node->spawn(join_all, urls);
    while (node->links().size() < urls.size()) usleep(1000);
    usleep(200000);
    const double before = cpu_ms();
    usleep(static_cast<useconds_t>(std::chrono::microseconds(window).count()));
    used = cpu_ms() - before;
    for (const auto& link : node->links())
      std::printf("  link to %s over %s\n", link.node.c_str(), link.lane.c_str());
  }
  for (const pid_t child : children) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  return used;
}

}  // namespace

int main() {
  troupe::set_log_sink([](troupe::log_level, std::string_view) {});
  constexpr double target = 20;
  const double alone = measure(0, 0);
  std::printf("idle node alone: %.2f ms of CPU in 10 s (target < %.0f)\n", alone, target);
  const double linked = measure(2, 1);
  std::printf("idle node with three links: %.2f ms of CPU in 10 s (target < %.0f)\n", linked, target);
  return alone < target && linked < target ? 0 : 1;
}
