// The lease of a link: a peer that says nothing stalls and is then given up, a stopped process that goes on in time is not
// missed, and a link that merely has nothing to say lives.
#include "catch.hpp"
#include "link_fixture.hpp"

using namespace link_test;

namespace {

struct leased_pair : pair_of_nodes {
  leased_pair(const lane_case& lane, duration lease)
      : pair_of_nodes(lane.kind, lane.io, 1, 1, [&](link_options& o) { o.lease = lease; }) {}
};

}  // namespace

TEST_CASE("lease: a peer that says nothing stalls, and is unreachable when its lease is over") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  leased_pair nodes(lane, 500ms);
  {
    blocked_worker deaf(nodes.back.workers().at(0));
    REQUIRE(nodes.front.unlinked());
    CHECK(nodes.front.down().first == link_end::unreachable);
    CHECK(nodes.front.down().second.find("lease") != std::string::npos);
    CHECK(nodes.front.host.with([](record& r) { return r.stalls; }) == std::vector<bool>{true});
    deaf.release.set_value();
  }
  // It finds the connection ended; the other dials again, so it may be linked anew already.
  REQUIRE(nodes.back.host.wait_until([](record& r) { return !r.downs.empty(); }));
  CHECK(nodes.back.host.with([](record& r) { return r.downs.size(); }) == 1);
}

TEST_CASE("lease: a peer that goes on in time has missed nothing") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  leased_pair nodes(lane, 10s);
  {
    blocked_worker deaf(nodes.back.workers().at(0));
    REQUIRE(nodes.front.send(0, 1, 1) == send_outcome::sent);
    REQUIRE(nodes.front.host.wait_until([](record& r) { return !r.stalls.empty(); }));
    CHECK(nodes.front.with_link([](session& s) { return s.stalled(); }));
    REQUIRE(nodes.front.send(0, 1, 2) == send_outcome::sent);
    deaf.release.set_value();
  }
  REQUIRE(nodes.front.host.wait_until([](record& r) { return r.stalls.size() == 2; }));
  CHECK(nodes.front.host.with([](record& r) { return r.stalls; }) == std::vector<bool>{true, false});
  CHECK_FALSE(nodes.front.with_link([](session& s) { return s.stalled(); }));
  REQUIRE(nodes.back.host.wait_until([](record& r) { return r.arrivals.size() == 2; }));
  CHECK(nodes.front.host.wait_until([](record& r) { return r.acked == 2; }));
}

TEST_CASE("lease: a link with nothing to say lives, for its probes are answered") {
  const lane_case lane = each_lane();
  INFO(lane.name << " " << to_string(lane.io));
  leased_pair nodes(lane, 2s);
  const auto probes = [](test_node& n) { return n.with_link([](session& s) { return s.frames_in(); }); };
  const std::uint64_t before = probes(nodes.front);
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (probes(nodes.front) < before + 4 && std::chrono::steady_clock::now() < until) {
    nodes.front.on(0, [] {});
  }
  CHECK(probes(nodes.front) >= before + 4);
  CHECK(nodes.front.host.with([](record& r) { return r.downs.empty(); }));
}
