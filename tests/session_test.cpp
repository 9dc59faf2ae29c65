#include "catch.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "link_fixture.hpp"
#include "os/kernel_env.hpp"

using namespace link_test;

namespace {

/// Sends notes with 1,000 bytes of text to `target`, and waits while only the lane is full, until something else comes back.
std::pair<std::uint64_t, send_outcome> send_until_refused(test_node& from, std::uint64_t target) {
  const auto until = std::chrono::steady_clock::now() + 20s;
  for (std::uint64_t n = 0;;) {
    const send_outcome how = from.send(0, target, n, 1000);
    if (how == send_outcome::sent) {
      ++n;
    } else if (how != send_outcome::blocked || std::chrono::steady_clock::now() > until) {
      return {n, how};
    }
  }
}

}  // namespace

TEST_CASE("two nodes link over the lane that is asked for, and messages arrive in order") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  pair_of_nodes nodes(lane.kind, lane.io);
  REQUIRE(nodes.joined == "back");
  CHECK(nodes.front.lane() == lane.kind);
  CHECK(nodes.back.lane() == lane.kind);
  INFO(nodes.front.lane_reason());
  CHECK_FALSE(nodes.front.lane_reason().empty());

  constexpr std::uint64_t count = 500;
  for (std::uint64_t i = 0; i < count; ++i) REQUIRE(nodes.front.send(0, 7, i) == send_outcome::sent);
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.arrivals.size() == count; }));
  nodes.back.host.with([](record& r) {
    for (std::uint64_t i = 0; i < count; ++i) CHECK(r.arrivals[i].number == i);
    CHECK_FALSE(r.handed_over_early);
  });
  CHECK(nodes.front.with_link([](session& s) { return s.frames_out(); }) >= count);
  CHECK(nodes.back.with_link([](session& s) { return s.frames_in(); }) >= count);
  CHECK(nodes.front.host.wait_until([&](record& r) { return r.acked == count; }));
}

TEST_CASE(
    "where the rings do not fit in the limit of shared memory, the local socket is used, and the reason says "
    "so") {
  const auto pool = std::make_shared<bulk_pool>(os_env(), std::uint64_t{512} * 1024);
  pair_of_nodes nodes(lane_kind::shm, io_backend::automatic, 1, 1, [&](link_options& o) { o.bulks = pool; });
  REQUIRE(nodes.joined == "back");
  CHECK(nodes.front.lane() == lane_kind::local_socket);
  CHECK(nodes.front.lane_reason() ==
        "shared memory could not be set up: no shared memory: 528384 bytes of rings do not fit in what "
        "node_options::shared_memory (524288, half of it for rings) has left");
  CHECK(pool->held() == 0);
  CHECK(nodes.front.send(0, 7, 1) == send_outcome::sent);
  CHECK(nodes.back.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
}

TEST_CASE("credit runs out at a destination that takes nothing, and comes back when it does") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  pair_of_nodes nodes(lane.kind, lane.io);
  const auto [sent, how] = send_until_refused(nodes.front, slow);
  CHECK(how == send_outcome::no_credit);
  CHECK(sent == link_options().max_message / 16 / (empty_note + 1000 + message_overhead));
  REQUIRE(nodes.back.host.wait_until([&, n = sent](record& r) { return r.held.size() == n; }));
  CHECK(nodes.front.send(0, slow + 1, 0) == send_outcome::sent);  // another one is not affected

  waiting_note first(slow, 1001, 1000);
  waiting_note second(slow, 1002);
  nodes.front.on(0, [&] {
    nodes.front.stream(0).wait(first.waiter);
    nodes.front.stream(0).wait(second.waiter);
  });
  CHECK(nodes.front.send(0, slow, 0) == send_outcome::no_credit);  // never overtakes a waiter
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.held.size() == sent + 1; }));
  nodes.back.consume_held();
  CHECK(first.waiter.outcome.get_future().get() == send_outcome::sent);
  CHECK(second.waiter.outcome.get_future().get() == send_outcome::sent);
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.arrivals.size() == sent + 3; }));
  nodes.back.host.with([](record& r) {
    CHECK(r.arrivals[r.arrivals.size() - 2].number == 1001);
    CHECK(r.arrivals.back().number == 1002);
  });
}

TEST_CASE("a waiter that goes away was never sent, and the next one takes its turn") {
  pair_of_nodes nodes(lane_kind::shm);
  const auto [sent, how] = send_until_refused(nodes.front, slow);
  REQUIRE(how == send_outcome::no_credit);
  auto big = std::make_unique<waiting_note>(slow, 2001, 60'000);
  waiting_note small(slow, 2002);
  nodes.front.on(0, [&] {
    nodes.front.stream(0).wait(big->waiter);
    nodes.front.stream(0).wait(small.waiter);
    big.reset();
  });
  REQUIRE(nodes.back.host.wait_until([&, n = sent](record& r) { return r.held.size() >= n; }));
  nodes.back.consume_held();
  CHECK(small.waiter.outcome.get_future().get() == send_outcome::sent);
  REQUIRE(nodes.back.host.wait_until([&, n = sent](record& r) { return r.arrivals.size() == n + 1; }));
  CHECK(nodes.back.host.with([](record& r) { return r.arrivals.back().number; }) == 2002);
}

TEST_CASE("a destination that takes nothing does not delay another one") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  pair_of_nodes nodes(lane.kind, lane.io);
  const auto [sent, how] = send_until_refused(nodes.front, slow);
  REQUIRE(how == send_outcome::no_credit);
  waiting_note stuck(slow, 1, 1000);
  nodes.front.on(0, [&] { nodes.front.stream(0).wait(stuck.waiter); });

  constexpr std::uint64_t count = 300;
  std::vector<std::unique_ptr<waiting_note>> others;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (nodes.front.send(0, 5, i, 2000) == send_outcome::sent) continue;
    others.push_back(std::make_unique<waiting_note>(5, i, 2000));
    nodes.front.on(0, [&] { nodes.front.stream(0).wait(others.back()->waiter); });
  }
  REQUIRE(nodes.back.host.wait_until([&, n = sent](record& r) { return r.arrivals.size() == n + count; }));
  CHECK(nodes.front.on(0, [&] { return stuck.waiter.waiting(); }));
  nodes.front.on(0, [&] { others.clear(); });
  nodes.back.consume_held();
  CHECK(stuck.waiter.outcome.get_future().get() == send_outcome::sent);
}

TEST_CASE("every worker of one node sends to the other, each in its own order") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  pair_of_nodes nodes(lane.kind, lane.io, 2, 2);
  constexpr std::uint64_t count = 400;
  for (std::uint64_t i = 0; i < count; ++i) {
    for (unsigned w : {0u, 1u}) {
      REQUIRE(nodes.front.send(w, 10 + w, i, 100) == send_outcome::sent);
      REQUIRE(nodes.back.send(w, 20 + w, i, 100) == send_outcome::sent);
    }
  }
  for (test_node* const to : {&nodes.front, &nodes.back}) {
    REQUIRE(to->host.wait_until([&](record& r) { return r.arrivals.size() == 2 * count; }));
    CHECK(to->host.wait_until([&](record& r) { return r.acked == 2 * count; }));
    to->host.with([](record& r) {
      std::uint64_t next[2] = {0, 0};
      for (const arrival& a : r.arrivals) CHECK(a.number == next[a.stream]++);
    });
  }
}

TEST_CASE("requests carry their correlation and deadline, and replies and control notes come back in order") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  pair_of_nodes nodes(lane.kind, lane.io);
  nodes.front.on(0, [&] {
    const note question{1, "?"};
    outgoing what;
    what.target = 9;
    what.type = &wire_type_of<note>;
    what.message = &question;
    what.correlation = 77;
    what.deadline = nodes.front.workers().at(0).now() + 1s;
    CHECK(nodes.front.stream(0).has_room(9));
    CHECK(nodes.front.stream(0).try_send(what) == send_outcome::sent);
  });
  REQUIRE(nodes.back.host.wait_until([](record& r) { return r.arrivals.size() == 1; }));
  nodes.back.host.with([](record& r) {
    CHECK(r.arrivals[0].correlation == 77);
    CHECK(r.arrivals[0].deadline);
  });
  nodes.back.on(0, [&] {
    const note answer{2, "!"};
    const note oversized{3, std::string(16 << 20, 'x')};
    out_stream& out = nodes.back.stream(0);
    out.reply(77, errc::ok, &wire_type_of<note>, &answer, nullptr);
    out.control({4, 5, 6, 7, "text"});
    out.reply(78, errc::no_such_actor, nullptr, nullptr, nullptr);
    out.reply(79, errc::ok, &wire_type_of<note>, &oversized, nullptr);
  });
  REQUIRE(nodes.front.host.wait_until([](record& r) { return r.replies.size() == 3; }));
  nodes.front.host.with([](record& r) {
    CHECK(r.replies[0] == std::pair<std::uint64_t, errc>{77, errc::ok});
    CHECK(r.replies[1] == std::pair<std::uint64_t, errc>{78, errc::no_such_actor});
    CHECK(r.replies[2] == std::pair<std::uint64_t, errc>{79, errc::too_large});
    CHECK(r.controls == std::vector<std::string>{"4:5:6:7:text"});
  });
}

TEST_CASE("a lane that is full refuses messages, keeps replies aside and loses nothing") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  pair_of_nodes nodes(lane.kind, lane.io);
  std::uint64_t sent = 0;
  constexpr std::uint64_t replies = 400;
  waiting_note waiting(1, 0, 1000);
  {
    blocked_worker deaf(nodes.back.workers().at(0));
    send_outcome how = send_outcome::sent;
    for (std::uint64_t target = 1; how == send_outcome::sent; ++target) {  // a fresh window each time
      how = nodes.front.send(0, target, sent, 60'000);
      if (how == send_outcome::sent) ++sent;
      REQUIRE(target < 1000);
    }
    CHECK(how == send_outcome::blocked);
    nodes.front.on(0, [&] {
      const note answer{1, std::string(1000, 'a')};
      CHECK_FALSE(nodes.front.stream(0).has_room(1));
      for (std::uint64_t i = 1; i <= replies; ++i) {
        nodes.front.stream(0).reply(i, errc::ok, &wire_type_of<note>, &answer, nullptr);
      }
      nodes.front.stream(0).wait(waiting.waiter);
    });
    deaf.release.set_value();
  }
  CHECK(waiting.waiter.outcome.get_future().get() == send_outcome::sent);
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.arrivals.size() == sent + 1; }));
  nodes.back.host.with([&](record& r) {
    REQUIRE(r.replies.size() == replies);  // queued before the message that waited
    for (std::uint64_t i = 0; i < replies; ++i) CHECK(r.replies[i].first == i + 1);
  });
  CHECK(nodes.front.host.wait_until([&](record& r) { return r.acked == sent + 1; }));
}

TEST_CASE("destinations and routes are few on the wire however many there are") {
  pair_of_nodes nodes(lane_kind::shm, io_backend::automatic, 1, 1, [](link_options& o) {
    o.max_destinations = 4;
    o.max_routes = 6;
  });
  constexpr std::uint64_t count = 200;
  std::vector<std::unique_ptr<waiting_note>> waiting;
  for (std::uint64_t i = 0; i < count; ++i) {
    waiting.push_back(std::make_unique<waiting_note>(i % 40, i));
    nodes.front.on(0, [&] { nodes.front.stream(0).wait(waiting.back()->waiter); });
  }
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.arrivals.size() == count; }));
  nodes.back.host.with([](record& r) {
    std::map<std::uint64_t, std::uint64_t> last;
    for (const arrival& a : r.arrivals) {
      CHECK(a.number % 40 == a.target);
      CHECK((!last.contains(a.target) || last[a.target] < a.number));
      last[a.target] = a.number;
    }
  });
  nodes.front.on(0, [&] { waiting.clear(); });

  // All four windows are taken again, as soon as the credit of those before has come back.
  for (std::uint64_t i = 0; i < 4; ++i) {
    waiting.push_back(std::make_unique<waiting_note>(slow + i, i));
    nodes.front.on(0, [&] { nodes.front.stream(0).wait(waiting.back()->waiter); });
    REQUIRE(waiting.back()->waiter.outcome.get_future().get() == send_outcome::sent);
  }
  CHECK(nodes.front.send(0, 1, 0) == send_outcome::no_credit);
  waiting_note homeless(1, 4242);
  nodes.front.on(0, [&] { nodes.front.stream(0).wait(homeless.waiter); });
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.held.size() == 4; }));
  nodes.back.consume_held();
  CHECK(homeless.waiter.outcome.get_future().get() == send_outcome::sent);
}

TEST_CASE("a closed link has delivered and acknowledged everything on both sides") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  pair_of_nodes nodes(lane.kind, lane.io, 2, 2);
  waiting_note never(slow, 1, 1000);
  for (std::uint64_t i = 0; i < 100; ++i) {
    for (unsigned w : {0u, 1u}) {
      REQUIRE(nodes.front.send(w, w, i, 500) == send_outcome::sent);
      REQUIRE(nodes.back.send(w, w, i, 500) == send_outcome::sent);
    }
  }
  send_until_refused(nodes.front, slow);
  nodes.front.on(0, [&] { nodes.front.stream(0).wait(never.waiter); });
  nodes.front.close();
  CHECK(never.waiter.outcome.get_future().get() == send_outcome::closed);
  REQUIRE(nodes.back.unlinked());
  REQUIRE(nodes.front.unlinked());
  CHECK(nodes.front.down().first == link_end::closed);
  CHECK(nodes.back.down().first == link_end::left);
  for (test_node* const node : {&nodes.front, &nodes.back}) {
    node->host.with([](record& r) {
      CHECK(r.unacked == 0);
      CHECK(r.streams_down == 2);
      CHECK(r.arrivals.size() >= 200);
    });
  }
}

namespace {

/// Forks; the child is killed at the end of the test at the latest.
struct child_process {
  ~child_process() { end(); }
  void end() {
    if (pid <= 0) return;
    kill(pid, SIGKILL);
    waitpid(std::exchange(pid, 0), nullptr, 0);
  }
  pid_t pid = fork();
};

/// The child: links with the address that it is told, sends 50 messages and waits to be killed.
[[noreturn]] void send_for_ever(int address_pipe, const lane_case& lane) noexcept {
  char url[128] = {};
  if (read(address_pipe, url, sizeof url - 1) <= 0) _exit(1);
  test_node node({1, lane.io, lane.kind == lane_kind::tcp, "child"});
  node.start();
  node.join(*endpoint::parse(url));
  node.linked();
  for (std::uint64_t i = 0; i < 50; ++i) node.send(0, 1, i);
  for (;;) pause();
}

}  // namespace

TEST_CASE("a killed process is dead over a local lane, and unreachable over TCP, after what it had sent") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  int port_pipe[2];
  REQUIRE(pipe(port_pipe) == 0);
  child_process child;
  if (child.pid == 0) send_for_ever(port_pipe[0], lane);
  test_node node({1, lane.io, lane.kind != lane_kind::shm, "parent"},
                 [](link_options& o) { o.lease = 1s; });  // over TCP that is what tells
  const std::string path = "unix://@troupe-test-" + std::to_string(getpid());
  const endpoint at = node.listen(lane.kind == lane_kind::local_socket ? path.c_str() : "tcp://127.0.0.1:0");
  node.start();
  const std::string url = at.url();
  REQUIRE(write(port_pipe[1], url.data(), url.size()) == static_cast<ssize_t>(url.size()));
  close(port_pipe[0]);
  close(port_pipe[1]);
  REQUIRE(node.host.wait_until([](record& r) { return r.arrivals.size() == 50; }));
  CHECK(node.lane() == lane.kind);
  child.end();
  REQUIRE(node.unlinked());
  CHECK(node.down().first == (lane.kind == lane_kind::tcp ? link_end::unreachable : link_end::died));
}

namespace {

/// The kernel, with a count of the turns that workers take: each begins with a look at the clock.
class counting_env : public kernel_env {
 public:
  instant now() noexcept override {
    ++turns;
    return kernel_env::now();
  }
  std::atomic<std::uint64_t> turns{0};
};

}  // namespace

TEST_CASE("idle links take no turns") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  counting_env world;
  pair_of_nodes nodes(lane.kind, lane.io, 2, 2, [](link_options& o) { o.lease = 1h; }, world);
  for (std::uint64_t i = 0; i < 100; ++i) REQUIRE(nodes.front.send(i % 2, 1, i, 100) == send_outcome::sent);
  REQUIRE(nodes.front.host.wait_until([](record& r) { return r.acked == 100; }));

  // Time passes while somebody else tries in vain to join; long enough for the last timers to fire.
  test_node elsewhere({1, io_backend::asio, true, "elsewhere"});
  elsewhere.start();
  endpoint nobody = *endpoint::parse("tcp://127.0.0.1:1");
  elsewhere.join(nobody, 300ms);
  const std::uint64_t before = world.turns;
  elsewhere.join(nobody, 300ms);
  CHECK(world.turns - before <= 4);
}
