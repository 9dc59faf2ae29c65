// A hostile peer of a whole node: messages to an actor that do not fit what it takes.
#include <troupe/log.hpp>

#include "raw_peer.hpp"
#include "remote_support.hpp"

namespace hostile_actor {

struct question {
  using reply = std::uint64_t;
  std::uint64_t number;
  std::string text;
};
using asked = troupe::protocol<link_test::note, question>;

inline troupe::actor run_asked(troupe::self<asked> me) {
  co_await me.serve([](const link_test::note&) {}, [](const question& q) { return q.number; });
}

}  // namespace hostile_actor

using namespace hostile_actor;
using namespace link_test;

TEST_CASE(
    "a message that is numbered as if it were a request, and a request without a number, end the link") {
  troupe::node node =
      test::start_listening({.name = "victim", .workers = 1, .lanes = troupe::lane_choice::tcp});
  const auto who = node.spawn(run_asked);
  const std::uint64_t target = address_of(who).wire_target();
  const auto log = test::new_book();
  troupe::set_log_sink([log](troupe::log_level, std::string_view line) {
    if (line.find("does not decode") != std::string_view::npos) log->add(std::string(line));
  });
  std::size_t ended = 0;
  std::uint64_t taken = 0;
  for (const bool request : {false, true}) {
    for (const bool numbered : {false, true}) {
      INFO("request: " << request << ", numbered: " << numbered);
      // Else it would be refused as a second one of its name.
      REQUIRE(test::eventually(
          [&] { return std::ranges::all_of(node.links(), [](const auto& l) { return l.lane == "none"; }); }));
      hostile::raw_peer peer(endpoint::parse(node.endpoints()[0]).value());
      REQUIRE(peer.link());
      const auto text = request ? wire_type_of<question>.schema : wire_type_of<link_test::note>.schema;
      frame_header header{frame_kind::message, 0, numbered ? 7u : 0u, 0, 0};
      peer.say(peer.segment(
          {hostile::route(0, target, 0, 0, text), hostile::frame(header, hostile::note_body(1, "word"))}));
      if (request == numbered) {
        ++taken;
        CHECK(test::eventually([&] { return node.accounting().taken == taken; }));
      } else {
        ++ended;
        CHECK(log->wait_for(ended).size() == ended);
        CHECK(peer.is_closed());
      }
    }
  }
  CHECK(test::eventually([&] { return node.live_actors() <= 3; }));
  node.stop(who);
  test::check_stops(node);
  troupe::set_log_sink({});
}
