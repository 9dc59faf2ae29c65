// Names of hosts: looked up off the workers, each time anew, and all their addresses are tried.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "link_fixture.hpp"
#include "os/kernel_env.hpp"

using namespace link_test;

namespace {

/// Whose resolver says what the test wants, when it wants.
class scripted_names final : public kernel_env {
 public:
  result<std::vector<endpoint>, setup_error> resolve(const endpoint& to) override {
    std::unique_lock lock(mutex_);
    ++lookups_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return to.host != "slow.example" || over_; });
    if (answers_.empty()) return setup_error{"cannot connect to " + to.url() + ": unknown host"};
    std::vector<endpoint> now = answers_.front();
    if (answers_.size() > 1) answers_.erase(answers_.begin());
    return now;
  }
  /// Each for one lookup, the last for all that follow.
  void answer(std::vector<std::vector<endpoint>> all) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(all);
  }
  bool asked(unsigned times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return lookups_ >= times; });
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<endpoint>> answers_;
  unsigned lookups_ = 0;
  bool over_ = false;
};

/// Declared before the nodes, which wait for lookups that run.
struct names_and_nodes {
  explicit names_and_nodes(duration handshake_deadline = 5s)
      : back({1, io_backend::automatic, true, "back"}),
        front(
            {1, io_backend::automatic, true, "front"},
            [&](link_options& o) {
              o.plaintext = true;
              o.handshake_deadline = handshake_deadline;
            },
            names),
        at(back.listen()) {
    back.start();
    front.start();
  }
  scripted_names names;
  test_node back;
  test_node front;
  endpoint at;
};

endpoint named(const char* host) { return *endpoint::parse(std::string("tcp://") + host + ":7000"); }

/// Nobody listens there.
endpoint closed_port() {
  test_node gone({1, io_backend::automatic, true, "gone"});
  const endpoint at = gone.listen();
  gone.start();
  return at;
}

}  // namespace

TEST_CASE("names: while one is looked up its worker does other things, and the attempt ends in time") {
  names_and_nodes n(300ms);
  auto waits = n.front.join_later(named("slow.example"), 100ms);
  REQUIRE(n.names.asked(1));
  CHECK(n.front.join(n.at) == "back");
  REQUIRE(n.front.send(0, 7, 1) == send_outcome::sent);
  CHECK(n.back.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
  const std::string how = waits.get();
  INFO(how);
  CHECK(how.find("in time") != std::string::npos);
  n.names.let_go();
}

TEST_CASE("names: a node closes while one is looked up") {
  names_and_nodes n;
  auto waits = n.front.join_later(named("slow.example"));
  REQUIRE(n.names.asked(1));
  std::thread later([&] {
    waits.wait();  // the attempt has ended, though the lookup goes on
    n.names.let_go();
  });
  n.front.close();
  later.join();
  CHECK(waits.get().find("error") != std::string::npos);
}

TEST_CASE("names: all addresses of one are tried") {
  names_and_nodes n;
  n.names.answer({{closed_port(), n.at}});
  CHECK(n.front.join(named("back.example")) == "back");
}

TEST_CASE("names: one is looked up anew for each attempt") {
  names_and_nodes n;
  n.names.answer({{closed_port()}, {n.at}});
  CHECK(n.front.join(named("back.example")) == "back");
  CHECK(n.names.asked(2));
}

TEST_CASE("names: one that nobody knows is told with its reason") {
  names_and_nodes n;
  const std::string how = n.front.join(named("nobody.example"), 100ms);
  INFO(how);
  CHECK(how.find("nobody.example") != std::string::npos);
  CHECK(how.find("unknown host") != std::string::npos);
}
