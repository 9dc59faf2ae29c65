// Mailboxes: order, limits, and who waits for room.
#include "actor_support.hpp"

#include <algorithm>
#include <map>
#include <thread>

using namespace test;

namespace {

struct item {
  std::uint32_t sender;
  std::uint32_t number;
  tracked life = {};
};
struct report {
  using reply = std::string;
};
using collecting = troupe::protocol<item, report>;

/// Checks that the numbers of each sender come in order.
actor run_collector(self<collecting> me) {
  std::map<std::uint32_t, std::uint32_t> next;
  std::uint32_t wrong = 0;
  std::uint32_t taken = 0;
  co_await me.serve(
      [&](const item& i) {
        if (next[i.sender]++ != i.number) ++wrong;
        ++taken;
      },
      [&](report) { return std::to_string(taken) + " taken, " + std::to_string(wrong) + " wrong"; });
}

actor run_sender(self<troupe::protocol<>> me, ref<item> to, std::uint32_t id, std::uint32_t count, book log) {
  const tracked life;
  (void)me;
  for (std::uint32_t n = 0; n < count; ++n) {
    const auto sent = co_await to.send<item>(id, n);
    if (!sent) log->add("refused");
  }
  log->add("done");
}

void fifo_from_everywhere(unsigned workers) {
  constexpr std::uint32_t count = 3000;
  host h(workers);
  const auto log = new_book();
  const auto collector = h->spawn(on_worker(0, 64), run_collector);
  for (std::uint32_t s = 0; s < 6; ++s) h->spawn(on_worker(s), run_sender, collector, s, count, log);
  std::vector<std::thread> threads;
  for (std::uint32_t s = 6; s < 8; ++s) {
    threads.emplace_back([=] {
      for (std::uint32_t n = 0; n < count;) {
        if (collector.try_send<item>(s, n)) {
          ++n;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(log->wait_for(6) == lines(6, "done"));
  const auto said = collector.blocking_ask<report>(patience);
  REQUIRE(said.has_value());
  CHECK(*said == std::to_string(8 * count) + " taken, 0 wrong");
  h.finish();
}

struct number {
  int value;
};

/// Takes one message a run, and tries to send itself one after the second.
actor run_slow(self<number> me, book log) {
  for (;;) {
    bool second = false;
    const auto took = co_await me.receive([&](number n) {
      log->add("took " + std::to_string(n.value));
      second = n.value == 2;
    });
    if (!took) co_return;
    if (second) log->add("probe " + text_of(me.me().try_send<number>(100)));
    co_await me.yield();
  }
}

actor run_waiter(self<troupe::protocol<>> me, ref<number> to, int value, book log) {
  (void)me;
  const auto sent = co_await to.send<number>(value);
  log->add("sent " + std::to_string(value) + " " + text_of(sent));
}

/// Fills a mailbox of eight; of four more senders the first finds the room of the message that was taken meanwhile, and
/// three wait. On one worker nothing else runs before this suspends.
actor run_filler(self<troupe::protocol<>> me, book log) {
  const auto slow = me.spawn(on_worker(0, 8), run_slow, log);
  for (int n = 1; n <= 8; ++n) {
    if (!slow.try_send<number>(n)) log->add("too early");
  }
  log->add("ninth " + text_of(slow.try_send<number>(9)));
  for (int n = 9; n <= 12; ++n) me.spawn(run_waiter, slow, n, log);
  co_await me.serve();
}

std::ptrdiff_t place_of(const lines& all, const std::string& line) {
  return std::find(all.begin(), all.end(), line) - all.begin();
}

}  // namespace

TEST_CASE("messages of one sender arrive in order on one worker") { fifo_from_everywhere(1); }
TEST_CASE("messages of one sender arrive in order across workers") { fifo_from_everywhere(2); }

TEST_CASE("a full mailbox lets senders wait in order, and nobody overtakes them") {
  host h(1);
  const auto log = new_book();
  h->spawn(run_filler, log);
  const lines all = log->wait_for(18);
  REQUIRE(all.size() == 18);
  CHECK(all[0] == "ninth full");
  CHECK(place_of(all, "probe full") < place_of(all, "took 3"));
  for (int n = 10; n <= 12; ++n) {
    const auto sent = place_of(all, "sent " + std::to_string(n) + " ok");
    CHECK(sent > place_of(all, "took " + std::to_string(n - 8)));  // it holds eight
    CHECK(sent < place_of(all, "took 8"));
  }
  for (int n = 1; n < 12; ++n) {
    CHECK(place_of(all, "took " + std::to_string(n)) < place_of(all, "took " + std::to_string(n + 1)));
  }
  CHECK(h->accounting().refused == 2);
  h.finish();
}

TEST_CASE("threads that try to send at once overshoot a held mailbox by none") {
  host h(1);
  const auto held = std::make_shared<gate>();
  const auto there = std::make_shared<gate>();
  const auto holder = h->spawn(
      on_worker(0),
      [](self<number>, shared_gate there_, shared_gate held_) -> actor {
        there_->open();
        held_->wait();
        co_return;
      },
      there, held);
  (void)holder;
  const auto target = h->spawn(on_worker(0, 10), run_collector);
  REQUIRE(there->wait());
  std::atomic<int> accepted{0};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint32_t n = 0; n < 100; ++n) {
        if (target.try_send<item>(t, n)) accepted.fetch_add(1);
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(accepted.load() == 10);
  held->open();
  h.finish();
}
