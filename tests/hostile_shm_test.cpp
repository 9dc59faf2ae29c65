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
    const int fds[] = {memory, attacker.memory.doorbell_button.get()};
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

TEST_CASE("row 24: a doorbell that makes who rings it wait, or raises a signal, is none") {
  for (const std::string lie :
       {"a full event", "a full pipe", "a pipe that nobody reads", "no socket of ours"}) {
    INFO(lie);
    endpoint at;
    test_node node({1, io_backend::automatic, false, "victim"});
    start(node, at);
    shm_attacker attacker(at);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    descriptor out(os_env(), ends[0]);
    descriptor bell(os_env(), ends[1]);
    if (lie == "a full event") {
      const std::uint64_t much = ~std::uint64_t{0} - 1;
      bell = descriptor(os_env(), ::eventfd(0, EFD_CLOEXEC));
      REQUIRE(::write(bell.get(), &much, sizeof much) == sizeof much);
    } else if (lie == "a full pipe") {
      const std::vector<char> waste(4096);
      ::fcntl(bell.get(), F_SETFL, O_NONBLOCK);
      while (::write(bell.get(), waste.data(), waste.size()) > 0) {
      }
      ::fcntl(bell.get(), F_SETFL, 0);
    } else if (lie == "a pipe that nobody reads") {
      out.reset();
    } else {
      bell = descriptor(os_env(), ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    }
    attacker.memory.mine.sleep().before_last_look();  // wants to be rung
    const int fds[] = {attacker.memory.memory_fd.get(), bell.get()};
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
  const descriptor button(os_env(), ::dup(attacker.memory.doorbell_button.get()));  // by which the node rings
  REQUIRE(attacker.offer(attacker.honest()).has_value());
  REQUIRE(node.linked());
  REQUIRE(node.lane() == lane_kind::shm);
  const int theirs = attacker.memory.peer_doorbell.get();
  const std::vector<char> much(100'000);
  for (const int fd : {theirs, button.get()}) CHECK(::fcntl(fd, F_SETFL, 0) == 0);  // blocking
  for (int i = 0; i < 20; ++i) (void)::send(theirs, much.data(), much.size(), MSG_DONTWAIT);
  attacker.memory.mine.sleep().before_last_look();
  for (std::uint64_t i = 0; i < 600; ++i)
    CHECK(node.send(0, 1, i) == send_outcome::sent);  // nobody hears it ring: its room fills up
  for (const int fd : {theirs, button.get()}) CHECK(::shutdown(fd, SHUT_RDWR) == 0);
  const sockaddr nowhere{AF_UNSPEC, {}};
  (void)::connect(theirs, &nowhere, sizeof nowhere);
  CHECK(node.send(0, 1, 600) == send_outcome::sent);
  CHECK(node.host.with([](record& r) { return r.downs.empty(); }));
}
