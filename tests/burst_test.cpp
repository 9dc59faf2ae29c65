// Messages that a run sends to another worker by the dozen (burst.hpp): none stays behind, nothing overtakes them, and the
// mailbox's limit holds.
#include "actor_support.hpp"

using namespace test;

namespace {

struct number {
  std::uint64_t value;
};
struct text {
  std::string words;
  std::uint64_t value;
};
struct so_far {
  using reply = std::uint64_t;
};
using counted = troupe::protocol<number, text, so_far>;
using nothing = troupe::protocol<>;
using counter = std::shared_ptr<std::atomic<std::uint64_t>>;
counter new_counter() { return std::make_shared<std::atomic<std::uint64_t>>(0); }

/// What comes is in order.
actor run_counter(self<counted> me, counter came) {
  const auto take = [&](std::uint64_t value) { must(came->fetch_add(1) == value); };
  co_await me.serve([&](number n) { take(n.value); }, [&](text t) { take(t.value); },
                    [&](so_far) { return came->load(); });
}
/// It may come from several.
actor run_tally(self<number> me, counter came) {
  co_await me.serve([&](number) { ++*came; });
}

troupe::task<void> send_many(ref<number> to, std::uint64_t first, std::uint64_t end) {
  for (std::uint64_t i = first; i < end; ++i) {
    const auto sent = co_await to.send<number>(i);
    must(sent.has_value());
  }
}
actor run_source(self<nothing>, ref<number> to, std::uint64_t count) { co_await send_many(to, 0, count); }

void compute_for(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
  }
}

}  // namespace

TEST_CASE("burst: what a run holds back goes when it ends, and what it does not has gone before") {
  for (const std::uint64_t count : {1u, 64u, 65u, 80u, 81u, 100u, 500u}) {
    host h(2);
    const auto came = new_counter();
    const auto to = h->spawn(on_worker(1), run_counter, came);
    h->spawn(on_worker(0), run_source, to, count);
    CHECK(eventually([&] { return *came == count; }));
    h.finish();
  }
}

TEST_CASE("burst: while its sender computes on, four fifths at least have come") {
  host h(2);
  const auto came = new_counter();
  const auto goes_on = std::make_shared<gate>();
  const auto to = h->spawn(on_worker(1), run_counter, came);
  h->spawn(
      on_worker(0),
      [](self<nothing>, ref<number> whom, std::shared_ptr<gate> end) -> actor {
        co_await send_many(whom, 0, 79);
        end->wait();
      },
      to, goes_on);
  CHECK(eventually([&] { return *came >= 64; }));
  goes_on->open();
  CHECK(eventually([&] { return *came == 79; }));
  h.finish();
}

TEST_CASE("burst: a run that goes on past its time slice holds nothing back") {
  host h(2);
  const auto came = new_counter();
  const auto told = new_counter();
  const auto to = h->spawn(on_worker(1), run_counter, came);
  h->spawn(
      on_worker(0),
      [](self<nothing>, ref<number> whom, counter seen, counter done) -> actor {
        co_await send_many(whom, 0, 64);
        const auto until =
            std::chrono::steady_clock::now() + patience;  // for the slice to be used, and that to be seen
        for (std::uint64_t sent = 64; *done == 0 && std::chrono::steady_clock::now() < until; ++sent) {
          co_await send_many(whom, sent, sent + 1);
          compute_for(10ms);
          const bool chunk_is_full = (sent + 1 - 64) % 16 == 0;
          if (!chunk_is_full && seen->load() == sent + 1) *done = 1;
        }
      },
      to, came, told);
  CHECK(eventually([&] { return *told == 1; }));
  h.finish();
}

TEST_CASE("burst: no other kind of message, ask or try_send overtakes it") {
  host h(2);
  const auto came = new_counter();
  const auto to = h->spawn(on_worker(1), run_counter, came);
  const auto other = h->spawn(on_worker(1), run_counter, new_counter());
  h->spawn(
      on_worker(0),
      [](self<nothing> me, ref<counted> whom, ref<counted> else_where) -> actor {
        std::uint64_t next = 0;
        for (int round = 0; round < 40; ++round) {
          co_await send_many(whom, next, next + 70);
          next += 70;
          const std::string words(static_cast<std::size_t>(round) * 40, 'x');
          switch (round % 4) {
            case 0: {
              const auto sent = co_await whom.send<text>(words, next++);
              must(sent.has_value());
              break;
            }
            case 1: {
              const auto answer = co_await whom.ask<so_far>();
              must(answer.has_value() && *answer == next);
              break;
            }
            case 2: {
              while (!whom.try_send<number>(next)) co_await me.yield();
              ++next;
              break;
            }
            default: (void)co_await else_where.ask<so_far>();
          }
        }
      },
      to, other);
  CHECK(eventually([&] { return *came == 40 * 70 + 20; }));
  h.finish();
}

TEST_CASE("burst: several senders and a small mailbox keep its limit, and all that was sent comes") {
  for (const unsigned room : {1u, 8u, 33u, 100u, 1024u}) {
    host h(3);
    const auto came = new_counter();
    constexpr std::uint64_t each = 3000;
    const auto to = h->spawn(on_worker(2, room), run_tally, came);
    for (const unsigned at : {0u, 1u, 2u}) h->spawn(on_worker(at), run_source, to, each);
    std::uint64_t most = 0;
    CHECK(eventually([&] {
      for (const troupe::actor_info& a : h->inspect().actors) {
        if (a.limit == room) most = std::max(most, a.mailbox);
      }
      return *came == 3 * each;
    }));
    CHECK(most <= (room < 32 ? room + 2 : room + 2 * 16));  // of each other worker's one message, or a chunk
    h.finish();
  }
}

TEST_CASE("burst: when sender or taker is killed in the middle, the books balance") {
  for (const bool sender_dies : {true, false}) {
    host h(2);
    const auto came = new_counter();
    const auto to = h->spawn(on_worker(1), run_tally, came);
    const auto from = h->spawn(
        on_worker(0),
        [](self<nothing> me, ref<number> whom) -> actor {
          for (;;) {
            for (int i = 0; i < 100; ++i) {
              const auto sent = co_await whom.send<number>(0u);
              if (!sent) co_return;
            }
            co_await me.yield();
          }
        },
        to);
    CHECK(eventually([&] { return *came > 10'000; }));
    if (sender_dies) {
      h->kill(from);
    } else {
      h->kill(to);
    }
    h.finish();
  }
}

TEST_CASE("burst: whoever sends many and ends is not told of before they have come") {
  for (const std::uint64_t count : {79u, 100u}) {
    host h(2);
    const auto came = new_counter();
    const auto told = new_counter();
    h->spawn(
        on_worker(1),
        [](self<troupe::protocol<number, troupe::down>> me, counter all, counter at_down,
           std::uint64_t n) -> actor {
          const auto to_me = me.me();
          const auto source = me.spawn(on_worker(0), run_source, to_me, n);
          me.monitor(source);
          co_await me.serve([&](number) { ++*all; }, [&](troupe::down) { *at_down = all->load(); });
        },
        came, told, count);
    CHECK(eventually([&] { return *told != 0; }));
    CHECK(*told == count);
    h.finish();
  }
}

TEST_CASE("burst: a reply comes behind what its actor has sent before") {
  struct rows {
    using reply = bool;
    ref<number> to;
  };
  host h(2);
  const auto told = new_counter();
  const auto server = h->spawn(on_worker(1), [](self<rows> me) -> actor {
    co_await me.serve([](rows r, troupe::replier<bool> answer) -> troupe::task<void> {
      co_await send_many(r.to, 0, 79);
      answer.reply(true);
      compute_for(2ms);  // the run goes on
    });
  });
  h->spawn(
      on_worker(0),
      [](self<number> me, ref<rows> whom, counter at_reply) -> actor {
        const auto to_me = me.me();
        const auto answer = co_await whom.ask<rows>(to_me);
        must(answer.has_value());
        std::uint64_t came = 0;
        const auto take = [&](number) { ++came; };
        for (;;) {
          const auto got = co_await me.receive(take).within(0ms);
          if (!got) break;
        }
        *at_reply = came + 1;
      },
      server, told);
  CHECK(eventually([&] { return *told != 0; }));
  CHECK(*told == 79 + 1);
  h.finish();
}
