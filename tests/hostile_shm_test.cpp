// Hostile peers on shared memory: the rows are those of the contract's table of bad inputs.
#include "catch.hpp"

#include <sys/mman.h>

#include "shm_attacker.hpp"

using namespace hostile;

TEST_CASE("row 23: ring positions out of range, backwards or misaligned close the lane") {
  for (const std::uint64_t lie : {~std::uint64_t{0}, std::uint64_t{smallest_ring} + 8, std::uint64_t{3}}) {
    endpoint at;
    test_node node({1, io_backend::automatic, false, "victim"});
    start(node, at);
    shm_attacker attacker(at);
    const int fds[] = {attacker.memory.memory_fd.get(), attacker.memory.doorbell.get()};
    const auto verdict = attacker.offer(fds);
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
  const int fds[] = {attacker.memory.memory_fd.get(), attacker.memory.doorbell.get()};
  REQUIRE((attacker.offer(fds)).has_value());
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
  for (const char* const lie : {"unsealed", "short", "an event"}) {
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
                                                      : attacker.memory.doorbell.get();
    const int fds[] = {memory, attacker.memory.doorbell.get()};
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
  const std::vector<int> fds(100, attacker.memory.doorbell.get());
  CHECK_FALSE((attacker.offer(fds)).has_value());
  CHECK(attacker.peer.is_closed());
  CHECK(node.host.with([](record& r) { return r.ups.empty(); }));
}
