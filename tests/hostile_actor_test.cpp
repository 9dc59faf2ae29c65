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

/// Its bytes are its encoding.
struct span_of_time {
  std::uint64_t from = 1;
  std::uint64_t to = 2;
};

inline troupe::actor run_spans(troupe::self<span_of_time> me, test::book seen) {
  co_await me.serve(
      [&](const span_of_time& s) { seen->add(std::to_string(s.from) + ".." + std::to_string(s.to)); });
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

TEST_CASE(
    "a message whose bytes are its encoding is taken whole, or as far as its sender knows it, or ends the "
    "link") {
  REQUIRE(wire_type_of<span_of_time>.flat == 16);
  troupe::node node =
      test::start_listening({.name = "victim", .workers = 1, .lanes = troupe::lane_choice::tcp});
  const auto seen = test::new_book();
  const auto who = node.spawn(run_spans, seen);
  const std::uint64_t target = address_of(who).wire_target();
  const auto ends = test::new_book();
  troupe::set_log_sink([ends](troupe::log_level, std::string_view line) {
    if (line.find("does not decode") != std::string_view::npos) ends->add(std::string(line));
  });
  struct expected {
    std::size_t bytes;
    const char* taken;  // null: nothing
  };
  std::size_t taken = 0, ended = 0;
  for (const expected& e : std::vector<expected>{{16, "7..9"},
                                                 {8, "7..2"},
                                                 {0, "1..2"},
                                                 {15, nullptr},
                                                 {9, nullptr},
                                                 {17, nullptr},
                                                 {24, nullptr}}) {
    INFO(e.bytes << " bytes");
    REQUIRE(test::eventually(
        [&] { return std::ranges::all_of(node.links(), [](const auto& l) { return l.lane == "none"; }); }));
    hostile::raw_peer peer(endpoint::parse(node.endpoints()[0]).value());
    REQUIRE(peer.link());
    std::vector<std::byte> body(24);
    store<std::uint64_t>(body.data(), 7);
    store<std::uint64_t>(body.data() + 8, 9);
    body.resize(e.bytes);
    peer.say(peer.segment({hostile::route(0, target, 0, 0, wire_type_of<span_of_time>.schema),
                           hostile::frame({frame_kind::message, 0, 0, 0, 0}, body)}));
    if (e.taken != nullptr) {
      ++taken;
      const auto lines = seen->wait_for(taken);
      REQUIRE(lines.size() == taken);
      CHECK(lines.back() == e.taken);
    } else {
      ++ended;
      CHECK(ends->wait_for(ended).size() == ended);
      CHECK(peer.is_closed());
    }
  }
  node.stop(who);
  test::check_stops(node);
  CHECK(seen->wait_for(taken).size() == taken);
  troupe::set_log_sink({});
}
