// Hostile peers on shared memory: the rows are those of the contract's table of bad inputs.
#include "catch.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "shm_attacker.hpp"

using namespace hostile;

TEST_CASE("row 23: ring positions out of range, backwards or misaligned close the lane") {
  for (const std::uint64_t lie : {~std::uint64_t{0}, std::uint64_t{smallest_ring} + 8, std::uint64_t{3}}) {
    endpoint at;
    test_node node({1, io_backend::automatic, false, "victim"});
    start(node, at);
    shm_attacker attacker(at);
    const auto verdict = attacker.offer(attacker.honest());
    REQUIRE(verdict.has_value());
    REQUIRE(verdict->ok);
    REQUIRE(node.linked());
    REQUIRE(node.lane() == lane_kind::shm);
    attacker.memory.mine.writer(0).position = lie;
    attacker.ring();
    REQUIRE(node.unlinked());
    CHECK(node.down().first == link_end::violated);
  }
}

TEST_CASE("row 23: a read position that was never written closes the lane") {
  endpoint at;
  test_node node({1, io_backend::automatic, false, "victim"});
  start(node, at);
  shm_attacker attacker(at);
  REQUIRE((attacker.offer(attacker.honest())).has_value());
  REQUIRE(node.linked());
  attacker.memory.mine.reader(0).position = std::uint64_t{1} << 50;
  send_outcome how = send_outcome::sent;
  for (std::uint64_t target = 1; how == send_outcome::sent && target < 16; ++target) {
    how = node.send(0, target, 1, 60'000);
  }
  CHECK(how == send_outcome::blocked);
  REQUIRE(node.unlinked());
  CHECK(node.down().first == link_end::violated);
}

TEST_CASE("row 24: memory that is unsealed, short or missing is refused, and the socket carries the link") {
  for (const char* const lie : {"unsealed", "short", "a doorbell"}) {
    INFO(lie);
    endpoint at;
    test_node node({1, io_backend::automatic, false, "victim"});
    start(node, at);
    shm_attacker attacker(at);
    const std::size_t size = shm_segment::size_for(1, 1, smallest_ring);
    descriptor unsealed(os_env(), ::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    REQUIRE(::ftruncate(unsealed.get(), static_cast<off_t>(size)) == 0);
    auto small = os_env().create_segment(4096);
    REQUIRE(small.has_value());
    const int memory = lie == std::string("unsealed") ? unsealed.get()
                       : lie == std::string("short")  ? small->first.get()
                                                      : attacker.memory.bell.heard.get();
    const int fds[] = {memory, attacker.memory.bell.heard.get()};
    const auto verdict = attacker.offer(fds);
    REQUIRE(verdict.has_value());
    CHECK_FALSE(verdict->ok);
    REQUIRE(node.linked());
    CHECK(node.lane() == lane_kind::local_socket);
    CHECK(node.lane_reason().find("shared memory could not be set up") != std::string::npos);
  }
}

TEST_CASE("row 25: a hundred descriptors in one message are refused") {
  endpoint at;
  test_node node({1, io_backend::automatic, false, "victim"});
  start(node, at);
  shm_attacker attacker(at);
  const std::vector<int> fds(100, attacker.memory.bell.heard.get());
  CHECK_FALSE((attacker.offer(fds)).has_value());
  CHECK(attacker.peer.is_closed());
  CHECK(node.host.with([](record& r) { return r.ups.empty(); }));
}

TEST_CASE("row 24: a doorbell that cannot be heard without waiting is none") {
  for (const std::string lie : {"an event", "the end that rings", "a socket", "memory"}) {
    INFO(lie);
    endpoint at;
    test_node node({1, io_backend::automatic, false, "victim"});
    start(node, at);
    shm_attacker attacker(at);
    const int memory = attacker.memory.memory_fd.get();
    const descriptor event(os_env(), ::eventfd(0, EFD_CLOEXEC));
    const descriptor socket(os_env(), ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int bell = lie == "an event"             ? event.get()
                     : lie == "the end that rings" ? attacker.memory.bell.rung.get()
                     : lie == "a socket"           ? socket.get()
                                                   : memory;
    const int fds[] = {memory, bell};
    const auto verdict = attacker.offer(fds);
    REQUIRE(verdict.has_value());
    CHECK_FALSE(verdict->ok);
    REQUIRE(node.linked());
    CHECK(node.lane() == lane_kind::local_socket);
  }
}

TEST_CASE("row 24: whatever a peer does to its ends of the doorbells, nobody waits for them") {
  endpoint at;
  test_node node({1, io_backend::automatic, false, "victim"});
  start(node, at);
  shm_attacker attacker(at);
  REQUIRE(attacker.offer(attacker.honest()).has_value());
  REQUIRE(node.linked());
  REQUIRE(node.lane() == lane_kind::shm);
  doorbell& bell = attacker.memory.bell;
  const int ear = attacker.memory.ear.get();
  for (int i = 0; i < 100'000; ++i) attacker.ring();
  for (const int fd : {ear, bell.heard.get(), bell.rung.get()})
    CHECK(::fcntl(fd, F_SETFL, 0) == 0);  // they wait
  (void)::fcntl(ear, F_SETPIPE_SZ, 4096);
  attacker.memory.mine.sleep().before_last_look();
  for (std::uint64_t i = 0; i < 600; ++i) {
    CHECK(node.send(0, 1, i) == send_outcome::sent);  // nobody hears it ring: its room fills up
    node.on(0, [] {});
  }
  attacker.memory.ear.reset();  // and now nobody could
  CHECK(node.send(0, 1, 600) == send_outcome::sent);
  bell = {};
  CHECK(node.send(0, 1, 601) == send_outcome::sent);
  CHECK(node.host.with([](record& r) { return r.downs.empty(); }));
}
