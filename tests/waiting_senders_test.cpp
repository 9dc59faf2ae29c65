// Whoever waits for room in a mailbox is let in as soon as there is some, in whatever way it came about.
#include <random>

#include "remote_support.hpp"

#include <troupe/bounds.hpp>
#include <troupe/when.hpp>

namespace waiting_messages {

struct number {
  std::int64_t value;
};
struct other {
  std::int64_t value;
};
struct text {
  std::string bytes;
};
struct query {
  using reply = std::int64_t;
  std::int64_t value;
};
struct open {
  static constexpr auto priority = troupe::priority::high;
};

}  // namespace waiting_messages

using namespace test;
using namespace waiting_messages;
using troupe::overflow;

namespace {

using shelf = troupe::protocol<number, other, text, query, open>;
using nothing = troupe::protocol<>;
using tally = std::shared_ptr<std::atomic<std::int64_t>>;
tally new_tally() { return std::make_shared<std::atomic<std::int64_t>>(0); }

/// Takes nothing until it is opened; counts what it takes then.
actor run_shelf(self<shelf> me, tally taken) {
  (void)co_await me.receive<open>();
  co_await me.serve([&](number) { ++*taken; }, [&](other) { ++*taken; }, [&](const text&) { ++*taken; },
                    [&](query q) {
                      ++*taken;
                      return q.value;
                    },
                    [](open) {});
}

actor run_sender(self<nothing>, ref<shelf> to, int count, tally sent) {
  for (int i = 0; i < count; ++i) {
    const auto done = co_await to.send<number>(i);
    if (done) ++*sent;
  }
}

/// With a text of that many bytes.
actor run_text_sender(self<nothing>, ref<shelf> to, std::size_t bytes, tally sent) {
  const std::string all(bytes, 'x');
  const auto done = co_await to.send<text>(all);
  must(done.has_value());
  ++*sent;
}

std::uint64_t waiting_at(troupe::node& n) {
  std::uint64_t sum = 0;
  for (const troupe::actor_info& a : n.inspect().actors) sum += a.waiting;
  return sum;
}

}  // namespace

TEST_CASE("waiting senders are let in when the requests before them are given up") {
  for (const unsigned senders_at : {0u, 1u}) {
    host h(2);
    const tally taken = new_tally();
    const auto full = h->spawn(on_worker(0, 64), run_shelf, taken);
    std::vector<ref<>> askers;
    for (int i = 0; i < 64; ++i) {
      askers.push_back(h->spawn(
          on_worker(1),
          [](self<nothing>, ref<shelf> to) -> actor {
            const auto never = co_await to.ask<query>(1).within(1h);
            must(!never);
          },
          full));
    }
    CHECK(eventually([&] { return h->accounting().pending == 64; }));
    const tally sent = new_tally();
    for (int i = 0; i < 8; ++i) h->spawn(on_worker(senders_at), run_sender, full, 4, sent);
    CHECK(eventually([&] { return waiting_at(*h) == 8; }));
    for (const ref<>& a : askers) h->kill(a);
    CHECK(eventually([&] { return sent->load() == 32; }));
    // Room for all is there when half of the askers are gone: what the others ask is taken back too before the shelf opens.
    CHECK(eventually([&] { return h->accounting().pending == 32; }));
    CHECK(taken->load() == 0);
    CHECK(full.try_send<open>().has_value());
    CHECK(eventually([&] { return taken->load() >= 32; }));
    CHECK(taken->load() == 32);
    h.finish();
  }
}

TEST_CASE("waiting senders may give up, here and elsewhere, and what they waited with is never sent") {
  for (const unsigned senders_at : {0u, 1u}) {
    host h(2);
    const tally taken = new_tally();
    const auto full = h->spawn(on_worker(0, 2), run_shelf, taken);
    for (int i = 0; i < 2; ++i) CHECK(full.try_send<number>(i).has_value());
    const tally sent = new_tally();
    const tally gave_up = new_tally();
    const auto killed = h->spawn(on_worker(senders_at), run_sender, full, 1, sent);
    CHECK(eventually([&] { return waiting_at(*h) == 1; }));
    h->spawn(
        on_worker(senders_at),
        [](self<nothing>, ref<shelf> to, tally late) -> actor {
          const auto done = co_await to.send<number>(1).within(50ms);
          must(!done && done.error() == errc::expired);
          ++*late;
        },
        full, gave_up);
    h->spawn(
        on_worker(senders_at),
        [](self<nothing> me, ref<shelf> to, tally late) -> actor {
          const auto first = co_await troupe::select(to.send<number>(1), me.sleep(50ms));
          must(first.index() == 1);
          ++*late;
        },
        full, gave_up);
    CHECK(eventually([&] { return waiting_at(*h) == 3; }));
    h->spawn(on_worker(senders_at), run_sender, full, 1, sent);  // behind all of them
    h->kill(killed);
    CHECK(eventually([&] { return gave_up->load() == 2 && waiting_at(*h) == 1; }));
    CHECK(sent->load() == 0);
    CHECK(full.try_send<number>(0).error() == errc::full);
    CHECK(full.try_send<open>().has_value());
    CHECK(eventually([&] { return sent->load() == 1 && taken->load() == 3; }));
    CHECK(full.try_send<number>(0).has_value());
    CHECK(eventually([&] { return taken->load() == 4; }));
    h.finish();
  }
}

TEST_CASE("waiting senders get in however many try_send in vain beside them") {
  constexpr int each = 2000;
  for (const std::uint32_t mailbox : {1u, 2u}) {
    host h(2);
    const tally taken = new_tally();
    const tally sent = new_tally();
    const auto small = h->spawn(on_worker(0, mailbox), run_shelf, taken);
    CHECK(small.try_send<open>().has_value());
    std::atomic<bool> over{false};
    std::int64_t tried = 0;
    std::thread hammer([&] {
      while (!over.load()) tried += small.try_send<number>(0) ? 1 : 0;
    });
    for (int i = 0; i < 4; ++i) h->spawn(on_worker(1), run_sender, small, each, sent);
    CHECK(eventually([&] { return sent->load() == 4 * each; }));
    over.store(true);
    hammer.join();
    CHECK(eventually([&] { return taken->load() == 4 * each + tried; }));
    h.finish();
  }
}

TEST_CASE("senders that wait for the node's room are all let in when one mailbox gives it back") {
  constexpr std::size_t bytes = 10'000;
  for (const unsigned others_at : {0u, 1u}) {
    troupe::node_options options;
    options.mailbox_memory = 1 << 20;
    host h(2, options);
    const tally taken = new_tally();
    const tally sent = new_tally();
    const auto hoard = h->spawn(on_worker(0, 1 << 20), run_shelf, taken);
    for (int i = 0; i < 120; ++i) h->spawn(on_worker(0), run_text_sender, hoard, bytes, sent);
    CHECK(somebody_waits(*h));
    std::vector<ref<shelf>> others;
    const tally sent_to_others = new_tally();
    for (int i = 0; i < 5; ++i) {
      others.push_back(h->spawn(on_worker(others_at, 1 << 20), run_shelf, taken));
      for (int k = 0; k < 4; ++k)  // the first finds room whatever the node has
        h->spawn(on_worker(1), run_text_sender, others.back(), bytes, sent_to_others);
    }
    CHECK(eventually([&] { return sent_to_others->load() >= 5; }));
    CHECK(hoard.try_send<open>().has_value());
    CHECK(eventually([&] { return sent->load() == 120 && sent_to_others->load() == 20; }));
    CHECK(eventually([&] { return taken->load() == 120; }));
    for (const ref<shelf>& o : others) CHECK(o.try_send<open>().has_value());
    CHECK(eventually([&] { return taken->load() == 140; }));
    h.finish();
  }
}

TEST_CASE("an actor that dies while its senders wait for the node's room leaves its slot clean") {
  troupe::node_options options;
  options.mailbox_memory = 1 << 20;
  host h(2, options);
  const tally taken = new_tally();
  const tally sent = new_tally();
  const auto hoard = h->spawn(on_worker(0, 1 << 20), run_shelf, taken);
  for (int i = 0; i < 120; ++i) h->spawn(on_worker(0), run_text_sender, hoard, std::size_t{10'000}, sent);
  CHECK(somebody_waits(*h));
  for (int round = 0; round < 20; ++round) {
    const auto starved = h->spawn(on_worker(0, 1 << 20), run_shelf, taken);
    const tally gone = new_tally();
    for (int k = 0; k < 3; ++k) h->spawn(on_worker(1), run_sender, starved, 1, gone);
    CHECK(eventually([&] { return gone->load() >= 1; }));
    h->kill(starved);
    CHECK(eventually([&] { return h->live_actors() <= 2 + 120 - static_cast<std::uint64_t>(sent->load()); }));
  }
  CHECK(hoard.try_send<open>().has_value());
  CHECK(eventually([&] { return taken->load() == 120; }));
  h.finish();
}

TEST_CASE("waiting senders are let in when a selective receive has taken less than half") {
  for (const unsigned senders_at : {0u, 1u}) {
    host h(2);
    const tally taken = new_tally();
    const auto choosy = h->spawn(
        on_worker(0, 100),
        [](self<shelf> me, tally t) -> actor {
          (void)co_await me.receive<open>();
          for (int i = 0; i < 24; ++i) {
            (void)co_await me.receive<other>();
            ++*t;
          }
          (void)co_await me.receive<open>();
          co_await me.serve([&](number) { ++*t; }, [&](other) { ++*t; }, [](const text&) {},
                            [](query) { return std::int64_t{0}; }, [](open) {});
        },
        taken);
    const tally sent = new_tally();
    for (int i = 0; i < 76; ++i) CHECK(choosy.try_send<number>(i).has_value());
    for (int i = 0; i < 24; ++i) CHECK(choosy.try_send<other>(i).has_value());
    CHECK(eventually([&] { return h->accounting().pending == 100; }));
    for (int i = 0; i < 24; ++i) h->spawn(on_worker(senders_at), run_sender, choosy, 1, sent);
    CHECK(eventually([&] { return waiting_at(*h) == 24; }));
    CHECK(choosy.try_send<open>().has_value());
    CHECK(eventually([&] { return sent->load() == 24; }));
    CHECK(taken->load() == 24);
    CHECK(choosy.try_send<open>().has_value());
    CHECK(eventually([&] { return taken->load() == 124; }));
    h.finish();
  }
}

namespace {

/// Takes a few in turn, selectively or not, and sleeps between: what wakes its senders differs from time to time.
actor run_moody(self<shelf> me, unsigned seed) {
  std::minstd_rand chance(seed);
  const auto pass = [](number) {};
  for (;;) {
    switch (chance() % 4) {
      case 0: {
        const auto got = co_await me.receive<number>().within(1ms);
        if (!got && got.error() == errc::stopped) co_return;
        break;
      }
      case 1: {
        const auto got = co_await me.receive<other>().within(1ms);
        if (!got && got.error() == errc::stopped) co_return;
        break;
      }
      case 2: co_await me.sleep(100us); break;
      default: {
        const auto got =
            co_await me
                .receive(
                    pass, [](other) {}, [](const text&) {}, [](query q) { return q.value; }, [](open) {})
                .within(1ms);
        if (!got && got.error() == errc::stopped) co_return;
        break;
      }
    }
  }
}

/// Sends and asks whoever has the turn, with and without a limit; ends when it has done its share.
actor run_busy(self<nothing>, std::vector<ref<shelf>> sinks, unsigned seed, int share, tally done) {
  std::minstd_rand chance(seed);
  for (int i = 0; i < share; ++i) {
    const ref<shelf> to = sinks[chance() % sinks.size()];
    switch (chance() % 5) {
      case 0: (void)co_await to.send<number>(i); break;
      case 1: (void)co_await to.send<other>(i).within(2ms); break;
      case 2: (void)co_await to.ask<query>(i).within(2ms); break;
      case 3: (void)to.try_send<number>(i); break;
      default: {
        const std::string bytes(chance() % 8000, 'x');
        (void)co_await to.send<text>(bytes);
      }
    }
    ++*done;
  }
}

}  // namespace

TEST_CASE("no sender waits for ever: every policy, small mailboxes, a small node, and killed actors") {
  constexpr int sinks = 8;
  constexpr int senders = 24;
  constexpr int share = 300;
  constexpr int doomed = 30;
  troupe::node_options options;
  options.mailbox_memory = 1 << 20;
  host h(2, options);
  const std::array policies = {overflow::wait, overflow::wait, overflow::reject, overflow::drop_oldest,
                               overflow::drop_newest};
  std::vector<ref<shelf>> all;
  const auto new_sink = [&](int i) {
    troupe::spawn_options o;
    o.mailbox = 1 + static_cast<std::uint32_t>(i) * 3;
    o.mailbox_bytes = i % 2 == 0 ? 16u << 20 : 20'000u;
    o.when_full = policies[static_cast<std::size_t>(i) % policies.size()];
    o.worker = static_cast<unsigned>(i) % 2;
    return h->spawn(o, run_moody, static_cast<unsigned>(i));
  };
  for (int i = 0; i < sinks; ++i) all.push_back(new_sink(i));
  const tally done = new_tally();
  for (unsigned i = 0; i < senders; ++i) h->spawn(on_worker(i % 2), run_busy, all, i, share, done);

  // Beside them: sinks that are killed while others wait at them, and senders that are killed while they wait.
  for (int i = 0; i < doomed; ++i) {
    const auto sink = new_sink(i % sinks);
    std::vector<ref<>> waiters;
    for (unsigned k = 0; k < 6; ++k)
      waiters.push_back(h->spawn(on_worker(k % 2), run_busy, std::vector{sink, all[0]},
                                 static_cast<unsigned>(i), 50, done));
    CHECK(eventually(
        [&, target = done->load() + 20] { return done->load() >= target || h->live_actors() == 1; }));
    for (std::size_t k = 0; k < 3; ++k) h->kill(waiters[k]);
    h->kill(sink);
  }
  CHECK(eventually([&] { return h->live_actors() <= 1 + sinks; }));
  for (const ref<shelf>& s : all) h->stop(s);
  CHECK(eventually([&] { return h->live_actors() <= 1; }));
  h.finish();
}
