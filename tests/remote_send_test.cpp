// send and try_send to actors of another node, on every lane.
#include "remote_support.hpp"

#include <troupe/codec_map.hpp>

namespace remote_send {

struct numbered {
  std::uint32_t sender;
  std::uint32_t number;
};
struct parcel {
  std::string text;
  std::vector<std::uint32_t> values;
  std::optional<std::string> remark;
  std::map<std::string, std::vector<std::string>> index;
  bool operator==(const parcel&) const = default;
};
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

namespace {

constexpr std::size_t largest = 64 * 1024;
constexpr std::uint64_t window = 128 * 1024;  // credit of one sending worker for one actor

std::size_t encoded_size(const blob& b) {
  std::vector<std::byte> space(2 * largest);
  troupe::writer out(space, nullptr);
  troupe::codec<blob>::encode(out, b);
  return out.size();
}
/// A blob that is exactly `encoded` bytes long on the wire.
blob blob_of(std::size_t encoded) {
  blob b{std::string(encoded, 'x')};
  b.bytes.resize(encoded - (encoded_size(b) - encoded));
  REQUIRE(encoded_size(b) == encoded);
  return b;
}

actor run_counter(self<numbered> me, std::uint32_t senders, std::uint32_t each, book log) {
  std::vector<std::uint32_t> next(senders, 0);
  std::uint32_t left = senders * each;
  while (left != 0) {
    const auto taken = co_await me.receive([&](numbered n) {
      if (next[n.sender]++ != n.number) log->add("out of order");
      --left;
    });
    if (!taken) break;
  }
  log->add(left == 0 ? "all" : "stopped early");
}

actor run_sender(self<nothing> me, ref<numbered> to, std::uint32_t sender, std::uint32_t each, book log) {
  (void)me;
  for (std::uint32_t i = 0; i < each; ++i) {
    const auto sent = co_await to.send<numbered>(sender, i);
    if (!sent) log->add(text_of(sent));
  }
}

actor run_keeps(self<parcel> me, std::shared_ptr<std::vector<parcel>> kept, book log) {
  co_await me.receive([&](const parcel& p) { kept->push_back(p); });
  log->add("kept");
}

using progress = std::shared_ptr<std::atomic<std::uint64_t>>;

/// Takes nothing before the gate is open.
actor run_slow(self<blob> me, progress taken) {
  const bool open = co_await passes(me.node(), "go");
  if (!open) co_return;
  co_await me.serve([&](const blob&) { taken->fetch_add(1); });
}

actor run_pours(self<nothing> me, ref<blob> to, std::size_t size, std::uint64_t count, progress sent,
                book log) {
  (void)me;
  const std::string bytes(size, 'x');
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto done = co_await to.send<blob>(bytes);
    if (!done) break;
    sent->fetch_add(1);
  }
  log->add("poured");
}

}  // namespace

TEST_CASE("remote send: 100,000 messages of several senders arrive, each sender's in order") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    constexpr std::uint32_t senders = 4;
    constexpr std::uint32_t each = 25'000;
    const auto log = new_book();
    const auto counter =
        seen_from(nodes.front, nodes.back, nodes.back.spawn(run_counter, senders, each, log));
    for (std::uint32_t s = 0; s < senders; ++s)
      nodes.front.spawn(on_worker(s), run_sender, counter, s, each, log);
    CHECK(log->wait_for(1) == lines{"all"});
    nodes.finish();
  }
}

TEST_CASE("remote send: strings, vectors, optionals and maps arrive as they were sent") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto log = new_book();
    const auto kept = std::make_shared<std::vector<parcel>>();
    const auto keeper = seen_from(nodes.front, nodes.back, nodes.back.spawn(run_keeps, kept, log));
    parcel p;
    p.text = std::string(3000, 'a') + '\0' + "ü";
    for (std::uint32_t i = 0; i < 5000; ++i) p.values.push_back(i * i);
    p.remark = "by hand";
    p.index = {{"", {}}, {"x", {"y", ""}}};
    const parcel same = p;
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto sent = co_await keeper.send<parcel>(troupe::give(p));
      CHECK(text_of(sent) == "ok");
    });
    REQUIRE(log->wait_for(1) == lines{"kept"});
    CHECK(*kept == std::vector{same});
    nodes.finish();
  }
}

TEST_CASE(
    "remote send: a sender waits for a slow receiver, and another receiver on the same link is not delayed") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto log = new_book();
    const auto taken = std::make_shared<std::atomic<std::uint64_t>>(0);
    const auto sent = std::make_shared<std::atomic<std::uint64_t>>(0);
    const auto local = nodes.back.spawn(run_slow, taken);
    const auto slow = seen_from(nodes.front, nodes.back, local);
    constexpr std::uint64_t count = 2000;
    nodes.front.spawn(on_worker(0), run_pours, slow, std::size_t{1024}, count, sent, log);

    constexpr std::uint32_t each = 5000;
    const auto brisk = seen_from(nodes.front, nodes.back, nodes.back.spawn(run_counter, 1u, each, log));
    nodes.front.spawn(on_worker(0), run_sender, brisk, 0u, each, log);
    CHECK(log->wait_for(1) == lines{"all"});
    CHECK(sent->load() <= window / 1024);
    CHECK(taken->load() == 0);

    named_gate go("go");
    go.open(nodes.back);
    CHECK(log->wait_for(2) == lines{"all", "poured"});
    CHECK(eventually([&] { return taken->load() == count; }));
    nodes.back.stop(local);
    go.remove(nodes.back);
    nodes.finish();
  }
}

TEST_CASE("remote try_send: it says full without waiting and leaves its arguments as they were") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto taken = std::make_shared<std::atomic<std::uint64_t>>(0);
    const auto local = nodes.back.spawn(run_slow, taken);
    const auto slow = seen_from(nodes.front, nodes.back, local);
    std::uint64_t accepted = 0;
    const auto fill = [&] {
      std::string text;
      for (;;) {
        text.assign(1000, 'y');
        const auto tried = slow.try_send<blob>(troupe::give(text));
        if (tried) {
          ++accepted;
          continue;
        }
        CHECK(tried.error() == errc::full);
        CHECK(text == std::string(1000, 'y'));
        return;
      }
    };
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      fill();
      co_return;
    });
    CHECK(accepted > 0);
    CHECK(accepted <= window / 1000);
    const std::uint64_t by_actors = accepted;
    fill();  // this thread, which has the room of the link's queue for threads
    CHECK(accepted > by_actors);
    CHECK(accepted <= by_actors + 2 * 1024);
    named_gate go("go");
    go.open(nodes.back);
    CHECK(eventually([&] { return taken->load() == accepted; }));
    nodes.back.stop(local);
    go.remove(nodes.back);
    nodes.finish();
  }
}

TEST_CASE("remote send: exactly 64 KiB encoded goes, one byte more is too large") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto log = new_book();
    const auto local = nodes.back.spawn(
        [](self<blob> me, book out) -> actor {
          co_await me.serve([&](const blob& b) { out->add(std::to_string(b.bytes.size())); });
        },
        log);
    const auto takes = seen_from(nodes.front, nodes.back, local);
    const blob fits = blob_of(largest);
    const blob over = blob_of(largest + 1);
    const std::string arrived = std::to_string(fits.bytes.size());
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      for (int i = 0; i < 5; ++i) {
        const auto sent = co_await takes.send<blob>(fits);
        CHECK(text_of(sent) == "ok");
        const auto refused = co_await takes.send<blob>(over);
        CHECK(text_of(refused) == "too large");
      }
    });
    CHECK(log->wait_for(5) == lines(5, arrived));
    play(nodes.front, [&](self<nothing>& me) -> troupe::task<void> {
      std::string told = text_of(takes.try_send<blob>(over));
      for (; told == "full"; told = text_of(takes.try_send<blob>(over)))
        co_await me.sleep(1ms);  // credit is on its way
      CHECK(told == "too large");
      CHECK(text_of(takes.try_send<blob>(fits)) == "ok");
    });
    CHECK(log->wait_for(6) == lines(6, arrived));
    CHECK(text_of(takes.blocking_send<blob>(patience, over)) == "too large");
    CHECK(text_of(takes.blocking_send<blob>(patience, fits)) == "ok");
    CHECK(log->wait_for(7) == lines(7, arrived));
    nodes.back.stop(local);
    nodes.finish();
  }
}

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

TEST_CASE(
    "remote send: what one thread sends arrives in order, by try_send and blocking_send in any mixture") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    constexpr std::uint32_t each = 2000;
    const auto log = new_book();
    const auto counter = seen_from(nodes.front, nodes.back, nodes.back.spawn(run_counter, 2u, each, log));
    std::vector<std::thread> threads;
    for (std::uint32_t sender = 0; sender < 2; ++sender) {
      threads.emplace_back([&, sender] {
        for (std::uint32_t i = 0; i < each; ++i) {
          if (i % 3 == 0 && counter.try_send<numbered>(sender, i)) continue;
          if (!counter.blocking_send<numbered>(patience, sender, i)) log->add("not sent");
        }
      });
    }
    for (std::thread& t : threads) t.join();
    CHECK(log->wait_for(1) == lines{"all"});
    nodes.finish();
  }
}

TEST_CASE(
    "remote blocking_send: it says expired when there is no room in time, and the message is never sent") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto taken = std::make_shared<std::atomic<std::uint64_t>>(0);
    const auto local = nodes.back.spawn(run_slow, taken);
    const auto slow = seen_from(nodes.front, nodes.back, local);
    const blob large = blob_of(largest);
    std::uint64_t accepted = 0;
    while (slow.blocking_send<blob>(50ms, large)) ++accepted;
    CHECK(accepted > 0);
    CHECK(text_of(slow.blocking_send<blob>(1ms, large)) == "deadline passed");
    named_gate go("go");
    go.open(nodes.back);
    CHECK(text_of(slow.blocking_send<blob>(patience, large)) == "ok");
    CHECK(eventually([&] { return taken->load() >= accepted + 1; }));
    nodes.back.stop(local);
    go.remove(nodes.back);
    nodes.finish();
    CHECK(taken->load() == accepted + 1);
  }
}

TEST_CASE("remote send: a sender killed while it waits for credit has never sent") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto log = new_book();
    const auto taken = std::make_shared<std::atomic<std::uint64_t>>(0);
    const auto sent = std::make_shared<std::atomic<std::uint64_t>>(0);
    const auto local = nodes.back.spawn(run_slow, taken);
    const auto slow = seen_from(nodes.front, nodes.back, local);
    constexpr std::uint64_t plenty = 1'000'000;
    std::vector<ref<>> senders;
    for (unsigned i = 0; i < 4; ++i) {
      senders.push_back(
          nodes.front.spawn(on_worker(i), run_pours, slow, std::size_t{4096}, plenty, sent, log));
    }
    const std::uint64_t most = how.workers * (window / (4096 + 64 + 4));
    CHECK(eventually([&] { return sent->load() >= most - how.workers; }));
    for (const ref<>& s : senders) nodes.front.kill(s);
    CHECK(eventually([&] { return nodes.front.live_actors() == 2; }));
    CHECK(log->all().empty());
    const std::uint64_t accepted = sent->load();
    named_gate go("go");
    go.open(nodes.back);
    CHECK(eventually([&] { return taken->load() == accepted; }));
    play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
      const auto last = co_await slow.send<blob>("the end");
      CHECK(text_of(last) == "ok");
    });
    CHECK(eventually([&] { return taken->load() == accepted + 1; }));
    nodes.back.stop(local);
    go.remove(nodes.back);
    nodes.finish();
    CHECK(taken->load() == accepted + 1);
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
