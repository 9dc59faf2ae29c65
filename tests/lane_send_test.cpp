// send, try_send, blocking_send and timed sends, on every lane.
#include "lane_suite.hpp"

#include <map>
#include <variant>

#include <troupe/codec_map.hpp>

namespace lane_send {

struct numbered {
  std::uint32_t sender;
  std::uint32_t number;
};
struct last {
  using reply = std::uint32_t;  // how many came before it
};
struct empty {};
struct line {
  std::string text;
  bool operator==(const line&) const = default;
};
struct parcel {
  std::string text;
  std::vector<std::uint32_t> values;
  std::optional<std::string> remark;
  std::map<std::string, std::vector<std::string>> index;
  std::variant<std::uint64_t, line, std::vector<line>> either;
  std::vector<std::optional<line>> nested;
  std::array<double, 3> fixed;
  std::pair<bool, char> pair;
  bool operator==(const parcel&) const = default;
};
struct blob {
  std::string bytes;
};
using mixed = troupe::protocol<empty, line, last>;

}  // namespace lane_send

using namespace test;
using namespace lane_send;
using nothing = troupe::protocol<>;

namespace {

constexpr std::size_t largest = 1024 * 1024;  // as the nodes were told
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

using progress = std::shared_ptr<std::atomic<std::uint64_t>>;
progress new_progress() { return std::make_shared<std::atomic<std::uint64_t>>(0); }

/// Takes nothing before the gate is open.
actor run_slow(self<blob> me, progress taken) {
  const bool open = co_await passes(me.node(), "go");
  if (!open) co_return;
  co_await me.serve([&](const blob&) { taken->fetch_add(1); });
}

/// An actor that lets messages pile up until go_on().
struct slow {
  explicit slow(lane_case& o)
      : on(o), taken(new_progress()), who(o.spawn_back(o.at_back(8), run_slow, taken)) {}
  void go_on() { go.open(on.back()); }
  void finish() {
    go.remove(on.back());
    on.stop(who);
    CHECK(on.left_alive(0));
  }
  /// Never more than this many are accepted and not taken.
  std::uint64_t room(std::size_t size) const { return on.local() ? 8 : on.workers() * (window / size); }

  lane_case& on;
  progress taken;
  placed<troupe::protocol<blob>> who;
  named_gate go{"go"};
};

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

LANE_TEST("send: 100,000 messages of several senders arrive, each sender's in order") {
  constexpr std::uint32_t senders = 8;
  constexpr std::uint32_t each = 12'500;
  const auto log = new_book();
  const auto counter = on.spawn_back(run_counter, senders, each, log);
  for (std::uint32_t s = 0; s < senders; ++s)
    on.front().spawn(on_worker(s), run_sender, counter.far, s, each, log);
  CHECK(log->wait_for(1) == lines{"all"});
}

LANE_TEST("send: what one actor sends in any mixture of ways keeps its order") {
  constexpr std::uint32_t count = 3000;
  const auto log = new_book();
  const auto counter = on.spawn_back(on.at_back(64), run_counter, 1u, count, log);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (i % 3 == 0 && counter.far.try_send<numbered>(0, i)) continue;
      if (i % 3 == 1) {
        const auto sent = co_await counter.far.send<numbered>(0, i).within(patience);
        CHECK(text_of(sent) == "ok");
      } else {
        const auto sent = co_await counter.far.send<numbered>(0, i);
        CHECK(text_of(sent) == "ok");
      }
    }
  });
  CHECK(log->wait_for(1) == lines{"all"});
}

LANE_TEST("send: what one thread sends keeps its order, by try_send and blocking_send in any mixture") {
  constexpr std::uint32_t each = 2000;
  const auto log = new_book();
  const auto counter = on.spawn_back(run_counter, 2u, each, log);
  std::vector<std::thread> threads;
  for (std::uint32_t sender = 0; sender < 2; ++sender) {
    threads.emplace_back([&, sender] {
      for (std::uint32_t i = 0; i < each; ++i) {
        if (i % 3 == 0 && counter.far.try_send<numbered>(sender, i)) continue;
        if (!counter.far.blocking_send<numbered>(patience, sender, i)) log->add("not sent");
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(log->wait_for(1) == lines{"all"});
}

LANE_TEST("send: strings, vectors, optionals, maps, variants and what they hold arrive as they were sent") {
  const auto log = new_book();
  const auto kept = std::make_shared<std::vector<parcel>>();
  const auto keeper = on.spawn_back(
      [](self<parcel> me, std::shared_ptr<std::vector<parcel>> to, book said) -> actor {
        for (int i = 0; i < 3; ++i) co_await me.receive([&](const parcel& p) { to->push_back(p); });
        said->add("kept");
      },
      kept, log);
  std::vector<parcel> sent(3);
  sent[0].text = std::string(3000, 'a') + '\0' + "ü";
  for (std::uint32_t i = 0; i < 5000; ++i) sent[0].values.push_back(i * i);
  sent[0].remark = "by hand";
  sent[0].index = {{"", {}}, {"x", {"y", ""}}};
  sent[1].either = line{"one"};
  sent[1].nested = {std::nullopt, line{""}, line{"three"}};
  sent[1].fixed = {-0.5, 1e300, 0};
  sent[2].either = std::vector<line>{{"a"}, {"b"}};
  sent[2].pair = {true, 'z'};
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    for (const parcel& p : sent) {
      const auto done = co_await keeper.far.send<parcel>(p);
      CHECK(text_of(done) == "ok");
    }
  });
  REQUIRE(log->wait_for(1) == lines{"kept"});
  CHECK(*kept == sent);
}

LANE_TEST("send: empty messages and empty strings arrive between others") {
  const auto log = new_book();
  const auto takes = on.spawn_back(
      [](self<mixed> me, book said) -> actor {
        co_await me.serve([&](empty) { said->add("empty"); },
                          [&](const line& l) { said->add("line " + l.text); }, [](last) { return 0u; });
      },
      log);
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    (void)co_await takes.far.send<empty>();
    (void)co_await takes.far.send<line>("");
    (void)co_await takes.far.send<line>("x");
    (void)co_await takes.far.send<empty>();
    const auto answer = co_await takes.far.ask<last>().within(patience);
    CHECK(answer.has_value());
  });
  CHECK(log->all() == lines{"empty", "line ", "line x", "empty"});
}

LANE_TEST(
    "send: what is as large as a node takes goes in chunks, and one byte more only where nothing is "
    "encoded") {
  const auto log = new_book();
  const auto takes = on.spawn_back(
      [](self<blob> me, book out) -> actor {
        co_await me.serve([&](const blob& b) { out->add(std::to_string(b.bytes.size())); });
      },
      log);
  const blob fits = blob_of(largest);
  const blob over = blob_of(largest + 1);
  const std::string larger = on.local() ? "ok" : "too large";
  std::size_t arrived = 0;
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    for (int i = 0; i < 5; ++i) {
      const auto sent = co_await takes.far.send<blob>(fits);
      CHECK(text_of(sent) == "ok");
      const auto refused = co_await takes.far.send<blob>(over);
      CHECK(text_of(refused) == larger);
    }
    std::string told = text_of(takes.far.try_send<blob>(over));
    for (; told == "full"; told = text_of(takes.far.try_send<blob>(over)))
      co_await me.sleep(1ms);  // credit is on its way
    CHECK(told == larger);
    const auto sent = co_await takes.far.send<blob>(fits);
    CHECK(text_of(sent) == "ok");
  });
  CHECK(text_of(takes.far.blocking_send<blob>(patience, over)) == larger);
  CHECK(text_of(takes.far.blocking_send<blob>(patience, fits)) == "ok");
  arrived = on.local() ? 14 : 7;
  const auto all = log->wait_for(arrived);
  CHECK(all.size() == arrived);
  CHECK(std::ranges::count(all, std::to_string(fits.bytes.size())) == 7);
}

LANE_TEST("send: a sender waits for a slow receiver, and another receiver is not delayed") {
  const auto log = new_book();
  const auto sent = new_progress();
  slow s(on);
  constexpr std::uint64_t count = 2000;
  on.front().spawn(on.at_front(), run_pours, s.who.far, std::size_t{1024}, count, sent, log);

  constexpr std::uint32_t each = 5000;
  const auto brisk = on.spawn_back(run_counter, 1u, each, log);
  on.front().spawn(on.at_front(), run_sender, brisk.far, 0u, each, log);
  CHECK(log->wait_for(1) == lines{"all"});
  CHECK(sent->load() <= s.room(1024));
  CHECK(s.taken->load() == 0);
  s.go_on();
  CHECK(log->wait_for(2) == lines{"all", "poured"});
  CHECK(eventually([&] { return s.taken->load() == count; }));
  s.finish();
}

LANE_TEST("send within: without room in time it ends with expired, and the message is never sent") {
  slow s(on);
  const std::string bytes(30'000, 'x');
  std::uint64_t accepted = 0;
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    for (bool room = true; room; accepted += room) {
      const auto sent = co_await s.who.far.send<blob>(bytes).within(2ms);
      room = sent.has_value();
      if (!room) CHECK(text_of(sent) == "deadline passed");
    }
    const auto again = co_await s.who.far.send<blob>(bytes).within(0ms);
    CHECK(text_of(again) == "deadline passed");
  });
  CHECK(accepted > 0);
  CHECK(accepted <= s.room(bytes.size()));
  s.go_on();
  CHECK(eventually([&] { return s.taken->load() == accepted; }));
  s.finish();
  CHECK(s.taken->load() == accepted);
}

LANE_TEST("blocking_send: without room in time it says expired, and the message is never sent") {
  slow s(on);
  const blob large = blob_of(largest);
  std::uint64_t accepted = 0;
  while (s.who.far.blocking_send<blob>(20ms, large)) ++accepted;
  CHECK(accepted > 0);
  CHECK(text_of(s.who.far.blocking_send<blob>(1ms, large)) == "deadline passed");
  s.go_on();
  CHECK(text_of(s.who.far.blocking_send<blob>(patience, large)) == "ok");
  CHECK(eventually([&] { return s.taken->load() >= accepted + 1; }));
  s.finish();
  CHECK(s.taken->load() == accepted + 1);
}

LANE_TEST("try_send: it says full without waiting and leaves its arguments as they were") {
  slow s(on);
  std::uint64_t accepted = 0;
  const auto fill = [&] {
    std::string text;
    for (;;) {
      text.assign(1000, 'y');
      const auto tried = s.who.far.try_send<blob>(troupe::give(text));
      if (tried) {
        ++accepted;
        continue;
      }
      CHECK(tried.error() == errc::full);
      CHECK(text == std::string(1000, 'y'));
      return;
    }
  };
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    fill();
    co_return;
  });
  CHECK(accepted > 0);
  CHECK(accepted <= s.room(1000));
  const std::uint64_t by_actors = accepted;
  fill();  // this thread, which has the room of the link's queue for threads
  if (on.local()) {
    CHECK(accepted == by_actors);
  } else {
    CHECK(accepted > by_actors);
    CHECK(accepted <= by_actors + 2 * 1024);
  }
  s.go_on();
  CHECK(eventually([&] { return s.taken->load() == accepted; }));
  s.finish();
}

LANE_TEST("send: a sender killed while it waits for room has never sent") {
  slow s(on);
  const auto log = new_book();
  const auto sent = new_progress();
  constexpr std::uint64_t plenty = 1'000'000;
  constexpr std::size_t size = 4096;
  std::vector<ref<>> senders;
  for (unsigned i = 0; i < 4; ++i)
    senders.push_back(on.front().spawn(on_worker(i), run_pours, s.who.far, size, plenty, sent, log));
  const std::uint64_t most = s.room(size + 64 + 4);
  CHECK(eventually([&] { return sent->load() + on.workers() >= most; }));
  for (const ref<>& k : senders) on.front().kill(k);
  CHECK(on.left_alive(1));
  CHECK(log->all().empty());
  const std::uint64_t accepted = sent->load();
  s.go_on();
  CHECK(eventually([&] { return s.taken->load() == accepted; }));
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto last_one = co_await s.who.far.send<blob>("the end");
    CHECK(text_of(last_one) == "ok");
  });
  CHECK(eventually([&] { return s.taken->load() == accepted + 1; }));
  s.finish();
  CHECK(s.taken->load() == accepted + 1);
}

LANE_TEST(
    "send: to an actor that has ended it is refused, or taken by the link and counted as a dead letter") {
  const auto target = on.spawn_back([](self<blob> me) -> actor { co_await me.serve([](const blob&) {}); });
  on.stop(target);
  CHECK(on.left_alive(0));
  on.play_front([&](self<nothing>&) -> troupe::task<void> {
    const auto sent = co_await target.far.send<blob>("to the dead");
    CHECK(text_of(sent) == (on.local() ? "no such actor" : "ok"));
  });
  if (on.local()) {
    CHECK(on.back().accounting().refused > 0);
    return;
  }
  CHECK(eventually([&] { return on.undelivered(errc::no_such_actor) == 1; }));
  const auto letters = on.back().dead_letters();
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].reason == errc::no_such_actor);
  CHECK(letters[0].slot == troupe::detail::address_of(target.home).slot);
}

LANE_TEST("send: of what is on its way to an actor that stops, each is taken or a dead letter") {
  for (const bool killed : {false, true}) {
    const auto before = on.back().accounting();
    const auto taken = new_progress();
    const auto sent = new_progress();
    const auto log = new_book();
    const auto target = on.spawn_back(
        [](self<blob> me, progress t) -> actor { co_await me.serve([&](const blob&) { t->fetch_add(1); }); },
        taken);
    for (unsigned i = 0; i < 4; ++i) {
      on.front().spawn(on_worker(i), run_pours, target.far, std::size_t{100}, std::uint64_t{20'000}, sent,
                       log);
    }
    CHECK(eventually([&] { return taken->load() > 500; }));
    killed ? on.kill(target) : on.stop(target);
    CHECK(log->wait_for(4).size() == 4);
    CHECK(on.left_alive(0));
    settled(on.front());
    const auto books = settled(on.back());
    std::uint64_t lost = 0;
    for (const errc why : {errc::stopped, errc::no_such_actor}) {
      const auto i = static_cast<std::size_t>(why);
      lost += books.undelivered[i] - before.undelivered[i];
    }
    CHECK(taken->load() + lost == sent->load());
  }
}

LANE_TEST(
    "send_after and every: they send to a far actor what they were given, until cancelled or the actor's "
    "end") {
  const auto log = new_book();
  const auto takes = on.spawn_back(
      [](self<line> me, book said) -> actor { co_await me.serve([&](const line& l) { said->add(l.text); }); },
      log);
  on.play_front([&](self<nothing>& me) -> troupe::task<void> {
    (void)me.send_after<line>(1ms, takes.far, "once");
    const auto never = me.send_after<line>(1h, takes.far, "never");
    const auto ticks = me.every<line>(1ms, takes.far, "tick");
    while (std::ranges::count(log->all(), "tick") < 3) co_await me.sleep(1ms);
    CHECK(me.cancel(ticks));
    CHECK(me.cancel(never));
    CHECK_FALSE(me.cancel(never));
    (void)me.every<line>(1h, takes.far, "not before the end");
  });
  settled(on.front());
  settled(on.back());
  const auto all = log->all();
  CHECK(std::ranges::count(all, "once") == 1);
  CHECK(static_cast<std::size_t>(std::ranges::count(all, "tick")) == all.size() - 1);
}
