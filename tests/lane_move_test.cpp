// Sessions that move between a socket and shared memory while messages flow.
#include <sys/socket.h>
#include <sys/un.h>

#include "cut_pair.hpp"

using namespace cuts;

namespace {

/// Two nodes on one host, of which `back` listens. As long as somebody holds the room of its pool there is no memory for rings.
struct movers {
  explicit movers(unsigned workers = 1, io_backend io = io_backend::automatic,
                  std::uint8_t minor = wire_minor)
      : back({workers, io, false, "back"},
             [&](link_options& o) {
               adjust(o);
               o.bulks = pool;
             }),
        front({workers, io, false, "front"}, [&](link_options& o) {
          adjust(o);
          o.minor = minor;
        }) {}
  static void adjust(link_options& o) {
    o.seek_memory = 5ms;
    o.lease = 60s;  // nothing ends because a machine is busy
  }
  void join() {
    at = back.listen();
    back.start();
    front.start();
    REQUIRE(front.join(at) == "back");
    REQUIRE(back.linked());
    REQUIRE(front.linked());
  }
  void join_without_memory() {
    pool_room all = pool->take_room(pool->limit() / 2);
    REQUIRE(all);
    join();
    REQUIRE(front.lane() == lane_kind::local_socket);
    held = std::move(all);
  }
  bool both_are_over(lane_kind kind) {
    return becomes_true([&] { return front.lane() == kind && back.lane() == kind; });
  }
  /// Ends the connections over local sockets that lead to `back`, at both ends; how many ends there were.
  int hang_up() const {
    const std::string name = "troupe-" + std::to_string(os_env().user_id()) + "-" + std::to_string(at.port);
    int ends = 0;
    for (int fd = 3; fd < 1024; ++fd) {
      sockaddr_un own{};
      sockaddr_un other{};
      socklen_t own_size = sizeof own;
      socklen_t other_size = sizeof other;
      if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) != 0 || own.sun_family != AF_UNIX)
        continue;
      if (::getpeername(fd, reinterpret_cast<sockaddr*>(&other), &other_size) != 0) continue;
      const auto is_it = [&](const sockaddr_un& a, socklen_t size) {
        const std::size_t begin = offsetof(sockaddr_un, sun_path) + 1;
        return size == begin + name.size() && name.compare(0, name.size(), a.sun_path + 1, name.size()) == 0;
      };
      if (!is_it(own, own_size) && !is_it(other, other_size)) continue;
      ::shutdown(fd, SHUT_RDWR);
      ++ends;
    }
    return ends;
  }

  std::shared_ptr<bulk_pool> pool = std::make_shared<bulk_pool>(os_env(), std::uint64_t{256} << 20);
  pool_room held;
  endpoint at;
  test_node back;
  test_node front;
};

/// Both ways, from each worker, until `enough` says so after some.
template <class F>
std::uint64_t send_until(movers& nodes, unsigned workers, F enough) {
  std::uint64_t count = 0;
  for (; count < 200 || !enough(count); ++count) {
    REQUIRE(count < 2'000'000);
    for (unsigned w = 0; w < workers; ++w) {
      REQUIRE(send_when_possible(nodes.front, w, 7 + w, count, count % 900) == send_outcome::sent);
      REQUIRE(send_when_possible(nodes.back, w, 7 + w, count, count % 500) == send_outcome::sent);
    }
  }
  return count;
}

void all_arrive(movers& nodes, unsigned workers, std::uint64_t count) {
  for (test_node* const n : {&nodes.front, &nodes.back}) {
    REQUIRE(n->host.wait_until([&](record& r) { return r.arrivals.size() >= count * workers; }));
    CHECK(n->host.wait_until([&](record& r) { return r.acked == count * workers; }));
    CHECK(n->host.with([&](record& r) { return all_in_order(r, workers, count); }));
    CHECK(n->host.with([](record& r) { return r.downs.empty() && r.ups.size() == 1; }));
  }
}

}  // namespace

TEST_CASE("move: a session over a socket goes on over shared memory once there is some, in order and once") {
  const unsigned workers = GENERATE(1u, 2u);
  const io_backend io = GENERATE(io_backend::automatic, io_backend::asio);
  INFO(workers << " " << to_string(io));
  movers nodes(workers, io);
  nodes.join_without_memory();
  std::uint64_t moved_at = 0;
  const std::uint64_t count = send_until(nodes, workers, [&](std::uint64_t n) {
    if (n == 300) nodes.held = {};
    if (n % 16 != 0) return false;
    const bool both = nodes.front.lane() == lane_kind::shm && nodes.back.lane() == lane_kind::shm;
    if (both && moved_at == 0) moved_at = n;
    return moved_at != 0 && n > moved_at + 300;
  });
  CHECK(moved_at >= 300);
  all_arrive(nodes, workers, count);
  for (test_node* const n : {&nodes.front, &nodes.back}) {
    CHECK(resumed(*n) == 0);
    CHECK(n->lane_reason() == "the peer is on this host");
    CHECK(n->host.with([](record& r) { return r.lanes; }) == std::vector{lane_kind::shm});
    CHECK(n->with_link([](session& s) { return s.duplicates(); }) == 0);
  }
}

TEST_CASE("move: what waits for room, and what goes in chunks, moves too") {
  movers nodes;
  nodes.join_without_memory();
  constexpr std::uint64_t large = 12;
  for (std::uint64_t i = 0; i < large; ++i) {
    if (i == 4) nodes.held = {};
    REQUIRE(send_when_possible(nodes.front, 0, 7, i, 3'000'000) == send_outcome::sent);
  }
  REQUIRE(nodes.both_are_over(lane_kind::shm));
  REQUIRE(send_when_possible(nodes.front, 0, 7, large, 100'000) == send_outcome::sent);
  REQUIRE(nodes.back.host.wait_until([&](record& r) { return r.arrivals.size() == large + 1; }));
  CHECK(nodes.back.host.with([&](record& r) { return all_in_order(r, 1, large + 1); }));
}

TEST_CASE("move: memory that is refused changes nothing, and is asked for again") {
  movers nodes;
  nodes.join_without_memory();
  const std::uint64_t count = send_until(nodes, 1, [](std::uint64_t n) { return n == 1000; });
  CHECK(nodes.front.lane() == lane_kind::local_socket);
  all_arrive(nodes, 1, count);
  CHECK(resumed(nodes.front) == 0);
  nodes.held = {};
  CHECK(nodes.both_are_over(lane_kind::shm));
}

TEST_CASE("move: memory that is lost gives way to a socket, and comes back, in order and once") {
  const unsigned workers = GENERATE(1u, 2u);
  const io_backend io = GENERATE(io_backend::automatic, io_backend::asio);
  INFO(workers << " " << to_string(io));
  movers nodes(workers, io);
  nodes.join();
  REQUIRE(nodes.front.lane() == lane_kind::shm);
  std::uint64_t losses = 0;
  const std::uint64_t count = send_until(nodes, workers, [&](std::uint64_t n) {
    if (n % 64 != 0) return false;
    for (test_node* const each : {&nodes.front, &nodes.back}) {
      if (each->lane() != lane_kind::shm || resumed(*each) < losses) return false;
    }
    if (losses == 5) return true;
    REQUIRE(nodes.hang_up() != 0);
    ++losses;
    return false;
  });
  all_arrive(nodes, workers, count);
  for (test_node* const n : {&nodes.front, &nodes.back}) {
    CHECK(resumed(*n) >= losses);
    CHECK(n->host.with([](record& r) { return r.lanes.size(); }) >= 2 * losses);
  }
}

TEST_CASE("move: a node of the version before is not asked to, and a session with it stays") {
  movers nodes(1, io_backend::automatic, minor_with_moves - 1);
  nodes.join_without_memory();
  nodes.held = {};
  const std::uint64_t count = send_until(nodes, 1, [](std::uint64_t n) { return n == 3000; });
  all_arrive(nodes, 1, count);
  CHECK(nodes.front.lane() == lane_kind::local_socket);
  CHECK(nodes.back.lane() == lane_kind::local_socket);
}

TEST_CASE("move: a node that closes in the midst of a move says goodbye") {
  for (int i = 0; i < 10; ++i) {
    movers nodes;
    nodes.join_without_memory();
    REQUIRE(nodes.front.send(0, 7, 0) == send_outcome::sent);
    nodes.held = {};
    if (i % 2 == 0)
      static_cast<void>(nodes.front.host.wait_until([](record& r) { return !r.lanes.empty(); }));
    nodes.front.close();
    REQUIRE(nodes.back.host.wait_until([](record& r) { return r.downs.size() == 1; }));
    CHECK(nodes.back.down().first == link_end::left);
    CHECK(nodes.back.host.with([](record& r) { return r.arrivals.size(); }) == 1);
    CHECK(nodes.front.host.with([](record& r) { return r.acked; }) == 1);
  }
}

TEST_CASE("move: who speaks of a move that a session does not make has broken the rules") {
  for (const frame_kind what : {frame_kind::reads, frame_kind::moved}) {
    attacked_node victim;
    raw_peer peer(victim.at);
    REQUIRE(peer.link());
    peer.say(peer.segment({numbers(8u | static_cast<std::uint32_t>(what) << 24, 1u)}));
    CHECK(peer.is_closed());
    CHECK(victim.closed_for("a move to memory"));
  }
}
