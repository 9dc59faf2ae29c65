// What a peer leaves behind on this node when it goes away and comes back as the same: nothing, however often.
#include "raw_peer.hpp"

#include "peer_ties_kit.hpp"
#include "peers.hpp"
#include "wire_notes.hpp"

namespace {

using namespace test;
using hostile::raw_peer;
using nothing = troupe::protocol<>;

hostile::bytes note(troupe::detail::note_kind what, const ref<>& subject, std::uint64_t object) {
  return hostile::frame({troupe::detail::frame_kind::control, what, 0, 0},
                        hostile::numbers(troupe::detail::address_of(subject).wire_target(), object));
}

actor run_idle(self<nothing> me) { co_await me.serve(); }

}  // namespace

TEST_CASE("a peer that reconnects again and again leaves no monitor and no link behind") {
  for (const unsigned workers : {1u, 2u}) {
    troupe::node_options options;
    options.name = "back";
    options.workers = workers;
    troupe::node back = start_listening(options);
    const auto at = troupe::endpoint::parse(back.endpoints()[0]);
    REQUIRE(at.has_value());
    const auto lasting = back.spawn(on_worker(1), run_idle);
    const auto before = back.live_actors();
    const auto hello = raw_peer::introduction();
    auto& peer = *troupe::detail::core_of(back).all_peers().intern(hello.node.id);
    for (int round = 0; round < 60; ++round) {
      const auto linked = back.spawn(on_worker(static_cast<unsigned>(round)), run_idle);
      std::unique_ptr<raw_peer> visitor;
      REQUIRE(eventually([&] {  // the node may not have noticed yet that the one before has gone
        visitor = std::make_unique<raw_peer>(*at);
        return visitor->link(hello);
      }));
      std::vector<hostile::bytes> notes;
      for (std::uint64_t n = 1; n <= 100; ++n)
        notes.push_back(note(troupe::detail::note_monitor, lasting, n));
      for (int twice = 0; twice < 2; ++twice)
        notes.push_back(note(troupe::detail::note_link, linked, std::uint64_t{7} << 32 | 1));
      visitor->say(visitor->segment(notes));
      if (round % 2 == 0) CHECK(eventually([&] { return ties_of_peers(back) == 2; }));
      round % 3 == 0 ? visitor->reset() : visitor->hang_up();
      if (round % 2 != 0) back.kill(linked);  // whether the notes came before the end or not
      CHECK(eventually([&] { return ties_of_peers(back) == 0 && peer.watched_here.load() == 0; }));
      CHECK(eventually([&] { return back.live_actors() <= before; }));
    }
    back.stop(lasting);
    CHECK(eventually([&] { return back.live_actors() == 1; }));
    settled(back);
    check_stops(back);
  }
}
