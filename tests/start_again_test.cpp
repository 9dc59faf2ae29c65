// A node that is started where another process listened until it was killed.
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
