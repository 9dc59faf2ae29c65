// A node that is started where another process listened until it was killed.
#include <troupe/sim.hpp>

#include "remote_support.hpp"

using namespace test;

TEST_CASE("a node can listen at once where a process with links listened that was killed") {
  const troupe::io_backend io = GENERATE(troupe::io_backend::automatic, troupe::io_backend::asio);
  std::string at = "tcp://127.0.0.1:0";
  const auto listen_there = [&](const auto& say) {
    auto node = troupe::node::start({.name = "back", .listen = {at}, .workers = 1, .io = io});
    say(node ? node->endpoints()[0] : "error: " + node.error().text);
    for (;;) ::pause();
  };
  for (int life = 0; life < 10; ++life) {
    INFO("life " << life);
    child_process back(listen_there);
    at = back.line();
    REQUIRE(at.substr(0, 4) == "tcp:");
    child_process front([&](const auto& say) {
      auto node = start({.name = "front", .workers = 1, .lanes = troupe::lane_choice::tcp});
      join(node, at);
      say("linked");
      for (;;) ::pause();
    });
    REQUIRE(front.line() == "linked");
    back.kill();
  }
}

TEST_CASE("a node that was joined is dialled again when its process has come back") {
  const auto lanes = GENERATE(troupe::lane_choice::automatic, troupe::lane_choice::tcp);
  std::string at = "tcp://127.0.0.1:0";
  const auto listen_there = [&](const auto& say) {
    auto node = troupe::node::start({.name = "back", .listen = {at}, .workers = 1});
    say(node ? node->endpoints()[0] : "error: " + node.error().text);
    for (;;) ::pause();
  };
  auto back = std::make_unique<child_process>(listen_there);
  at = back->line();
  // A process of its own: this one forks again, and so has no threads.
  child_process front([&](const auto& say) {
    auto node = start({.name = "front", .workers = 2, .lanes = lanes});
    join(node, at);
    for (bool linked = true;; linked = !linked) {
      const bool so = eventually([&] { return (link_to(node, "back").lane != "none") == linked; });
      say(!so ? "nothing changes" : linked ? "linked" : "lost");
    }
  });
  REQUIRE(front.line() == "linked");
  for (int life = 0; life < 3; ++life) {
    INFO("life " << life);
    back->kill();
    REQUIRE(front.line() == "lost");
    back = std::make_unique<child_process>(listen_there);
    REQUIRE(back->line() == at);
    REQUIRE(front.line() == "linked");
  }
}

namespace {

troupe::actor join_back(troupe::self<troupe::protocol<>> self) {
  (void)co_await self.node().join("tcp://back:1");
  co_await self.serve();
}

/// Whether the front is linked with the back again after that was killed and has come back.
bool finds_it_again(troupe::duration rejoin) {
  troupe::sim::world world({.seed = 1, .faults = troupe::sim::fault_set::none()});
  auto& back = world.start({.name = "back", .listen = {"tcp://back:1"}}, [](auto&) {});
  auto& front = world.start({.name = "front", .rejoin = rejoin}, [](auto& p) { p.node().spawn(join_back); });
  const auto linked = [&] { return link_to(front.node(), "back").lane == "tcp"; };
  REQUIRE(world.run_until(linked, 5s));
  world.kill(back, 1s);
  REQUIRE(world.run_until([&] { return !linked(); }, 5s));
  const bool again = world.run_until(linked, 60s);
  CHECK(world.check() == "");
  return again;
}

}  // namespace

TEST_CASE("a node that was lost is dialled again for as long as the option says") {
  CHECK(finds_it_again(1h));
  CHECK_FALSE(finds_it_again(0s));
  CHECK_FALSE(finds_it_again(300ms));
}

TEST_CASE("who comes back under its name ends the session of its predecessor") {
  troupe::sim::world world({.seed = 1, .faults = troupe::sim::fault_set::none()});
  auto& back = world.start({.name = "back", .listen = {"tcp://back:1"}}, [](auto&) {});
  // It does not listen, so the back cannot ask whether it lives.
  auto& front = world.start({.name = "front"}, [](auto& p) { p.node().spawn(join_back); });
  const auto link = [&] { return link_to(back.node(), "front"); };
  REQUIRE(world.run_until([&] { return link().lane == "tcp"; }, 5s));
  world.kill(front, 1s);
  REQUIRE(world.run_until([&] { return link().suspended; }, 5s));
  const troupe::duration killed = world.elapsed();
  REQUIRE(world.run_until(
      [&] { return front.alive() && front.lives() == 2 && !link().suspended && link().lane == "tcp"; }, 60s));
  CHECK(world.elapsed() - killed < 3s);  // its lease is 10
  world.run_for(100ms);                  // until the join knows it, too
  CHECK(world.check() == "");
}
