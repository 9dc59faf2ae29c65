// What only a send to another node meets: messages that cannot travel, and no link.
#include "remote_support.hpp"

namespace remote_send {

struct blob {
  std::string bytes;
};
struct local_only {
  std::shared_ptr<int> shared;
};

}  // namespace remote_send

using namespace test;
using namespace remote_send;
using nothing = troupe::protocol<>;

TEST_CASE("remote send: a message type that cannot be encoded is refused") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto local =
        nodes.back.spawn([](self<blob> me) -> actor { co_await me.serve([](const blob&) {}); });
    const auto seen = seen_from(nodes.front, nodes.back, local);
    // The public interface gives no such ref away; a programmer may still have one from inside.
    const auto forged = troupe::detail::ref_to<local_only>(troupe::detail::address_of(seen));
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto sent = co_await forged.send<local_only>();
      CHECK(text_of(sent) == "not encodable");
      CHECK(text_of(forged.try_send<local_only>()) == "not encodable");
    });
    CHECK(text_of(forged.try_send<local_only>()) == "not encodable");
    nodes.back.stop(local);
    nodes.finish();
  }
}

TEST_CASE("remote send: without a link the answer is unreachable, and to a dead actor a dead letter") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto local =
        nodes.back.spawn([](self<blob> me) -> actor { co_await me.serve([](const blob&) {}); });
    const auto seen = seen_from(nodes.front, nodes.back, local);
    nodes.back.stop(local);
    CHECK(eventually([&] { return nodes.back.live_actors() == 2; }));
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto sent = co_await seen.send<blob>("to the dead");
      CHECK(text_of(sent) == "ok");  // the link took it
    });
    settled(nodes.front);
    settled(nodes.back);
    const auto books = nodes.back.accounting();
    CHECK(books.undelivered[static_cast<std::size_t>(errc::no_such_actor)] == 1);
    const auto letters = nodes.back.dead_letters();
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].reason == errc::no_such_actor);
    CHECK(letters[0].slot == troupe::detail::address_of(local).slot);

    nodes.check_lane();
    check_stops(nodes.back);
    CHECK(eventually([&] { return link_to(nodes.front, "back").lane == "none"; }));
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto sent = co_await seen.send<blob>("to nobody");
      CHECK(text_of(sent) == "unreachable");
      CHECK(text_of(seen.try_send<blob>("to nobody")) == "unreachable");
    });
    CHECK(text_of(seen.try_send<blob>("to nobody")) == "unreachable");
    CHECK(text_of(seen.blocking_send<blob>(1h, "to nobody")) == "unreachable");
    check_stops(nodes.front);
  }
}
