// A hub in this process, which is measured, and the nodes that link with it: some hundred in each of a few other processes.
//
// What is told is what becomes resident in the hub's process (RSS) between its start and a time when all are linked and have
// passed looks of their lease, for each link. Linked nodes share no memory over TCP, so RSS counts nothing twice; what the
// kernel has of a socket is not in it. The hub is dialled and has one worker; so each link is one stream each way. The backend
// of a case is the hub's.
#include "link_cases.hpp"

#include <algorithm>
#include <array>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "memory.hpp"
#include "two_processes.hpp"

namespace bench {
namespace {

using nothing = troupe::protocol<>;
using url_text = std::array<char, 64>;

constexpr std::uint64_t nodes_in_a_process = 500;  // each is two threads and a few descriptors
constexpr std::uint64_t descriptors_beside = 128;
constexpr unsigned most_tries =
    6;  // to link: a handshake must be over in time, and here thousands of threads run
constexpr auto until_idle = std::chrono::milliseconds(2500);  // a look of the lease, and its answer

rlimit descriptor_limit() {
  rlimit limit{};
  check(getrlimit(RLIMIT_NOFILE, &limit) == 0, "no limit of descriptors");
  return limit;
}
/// As many as are allowed.
void use_descriptors() {
  rlimit limit = descriptor_limit();
  limit.rlim_cur = limit.rlim_max;
  check(setrlimit(RLIMIT_NOFILE, &limit) == 0, "cannot raise the limit of descriptors");
}

class one_way {
 public:
  one_way() { check(pipe(ends_) == 0, "no pipe"); }
  one_way(const one_way&) = delete;
  one_way& operator=(const one_way&) = delete;
  ~one_way() {
    close(ends_[0]);
    only_take();
  }
  /// So that take() notices when nobody is there any more who could put.
  void only_take() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }
  /// Of a size that a pipe takes and gives as a whole.
  template <class T>
  void put(const T& what) {
    check(write(ends_[1], &what, sizeof what) == sizeof what, "the other processes are gone");
  }
  template <class T>
  T take() {
    T what;
    check(read(ends_[0], &what, sizeof what) == sizeof what, "the other processes are gone");
    return what;
  }

 private:
  int ends_[2];
};

troupe::actor run_join(troupe::self<nothing> me, std::string url, std::shared_ptr<std::promise<void>> done) {
  for (unsigned tries = 1;; ++tries) {
    const auto joined = co_await me.node().join(url);
    if (joined) break;
    if (tries == most_tries) check(false, joined.error().text.c_str());
  }
  done->set_value();
}

void run_nodes(std::uint64_t first, std::uint64_t end, const std::string& url) {
  use_descriptors();
  static std::vector<troupe::node> all;
  for (; first < end; ++first) {
    auto node = troupe::node::start(
        {.name = "far-" + std::to_string(first), .workers = 1, .lanes = troupe::lane_choice::tcp});
    if (!node) check(false, node.error().text.c_str());
    const auto linked = std::make_shared<std::promise<void>>();
    node->spawn(run_join, url, linked);
    linked->get_future().wait();
    all.push_back(std::move(*node));
  }
}

/// Another process, and its nodes.
class crowd {
 public:
  /// Of these numbers; they link with whatever is put into `urls`.
  crowd(std::uint64_t first, std::uint64_t end, one_way& urls)
      : process_([&](auto tell) {
          tell("here");
          run_nodes(first, end, urls.take<url_text>().data());
          linked_.put('k');
        }) {
    linked_.only_take();
  }
  void wait_until_linked() { linked_.take<char>(); }

 private:
  one_way linked_;
  far_side process_;
};

std::uint64_t links_up(const troupe::node& of) {
  const std::vector<troupe::link_info> all = of.links();
  return static_cast<std::uint64_t>(
      std::ranges::count_if(all, [](const auto& l) { return l.lane != "none" && !l.suspended; }));
}

double bytes_a_link(const setting& how, troupe::io_backend io, std::uint64_t full) {
  const std::uint64_t count = how.times(full);
  troupe::set_log_sink([](troupe::log_level, std::string_view) {});  // a line for each link
  use_descriptors();
  one_way urls;
  std::vector<std::unique_ptr<crowd>> others;
  for (std::uint64_t first = 0; first < count; first += nodes_in_a_process)
    others.push_back(std::make_unique<crowd>(first, std::min(first + nodes_in_a_process, count), urls));
  auto hub = troupe::node::start({.name = "hub",
                                  .listen = {"tcp://127.0.0.1:0"},
                                  .workers = 1,
                                  .io = io,
                                  .lanes = troupe::lane_choice::tcp,
                                  .most_links = static_cast<std::uint32_t>(full)});
  if (!hub) check(false, hub.error().text.c_str());
  url_text url{};
  hub->endpoints().front().copy(url.data(), url.size() - 1);
  const double before = resident_bytes();
  for (std::size_t i = 0; i < others.size(); ++i) urls.put(url);
  for (const auto& some : others) some->wait_until_linked();
  std::this_thread::sleep_for(until_idle);
  const double after = resident_bytes();
  check(links_up(*hub) == count, "some nodes are not linked");
  return (after - before) / static_cast<double>(count);
}

}  // namespace

void add_link_cases(cases& all) {
  for (const auto& [name, links] : {std::pair{"links_1k", 1000u}, {"links_10k", 10'000u}}) {
    const auto with = [full = links](troupe::io_backend io) -> bench_case::measure {
      return [=](const setting& how) { return bytes_a_link(how, io, full); };
    };
    bench_case c{name, 1, placement::free, "B", with(troupe::io_backend::automatic)};
    c.variants = {{asio_system, with(troupe::io_backend::asio)}};
    const std::uint64_t needed = links + descriptors_beside;
    if (const std::uint64_t most = descriptor_limit().rlim_max; most < needed) {
      c.lacks = "it needs " + std::to_string(needed) + " descriptors, and this process may have " +
                std::to_string(most) + " (ulimit -Hn)";
    }
    all.push_back(std::move(c));
  }
}

}  // namespace bench
