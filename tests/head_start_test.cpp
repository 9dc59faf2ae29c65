// A crowd of neighbours that waits for room (head_start.hpp): who was let in sends some more, and nobody else pays for it with its
// order, or with more than its turn.
#include "actor_support.hpp"

#include <algorithm>
#include <vector>

#include <troupe/when.hpp>

using namespace test;

namespace {

struct item {
  int from;
  int number;
};

/// What a sink saw.
struct seen {
  explicit seen(int senders) : next(static_cast<std::size_t>(senders)) {}

  void note(const item& i) {
    in_order = in_order && next[static_cast<std::size_t>(i.from)]++ == i.number;
    in_a_row = i.from == last ? in_a_row + 1 : 1;
    longest = std::max(longest, in_a_row);
    last = i.from;
    const auto [least, most] = std::ranges::minmax(next);
    widest = std::max(widest, most - least);
    ++came;
  }

  std::vector<int> next;  // of each sender
  bool in_order = true;
  int last = -1;
  int in_a_row = 0;
  int longest = 0;
  int widest = 0;  // between the most and the least that came of a sender
  std::atomic<int> came{0};
};
using witness = std::shared_ptr<seen>;

actor run_sink(self<item> me, witness all) {
  co_await me.serve([&](const item& i) { all->note(i); });
}

using nothing = troupe::protocol<>;

/// Numbered in the order in which they are sent, whichever coroutine sends them.
troupe::task<void> send_some(ref<item> to, int from, int& number, int count) {
  for (int i = 0; i < count; ++i) {
    const auto sent = co_await to.send<item>(from, number++);
    must(sent.has_value());
  }
}
actor run_source(self<nothing>, ref<item> to, int from, int count) {
  int number = 0;
  co_await send_some(to, from, number, count);
}
actor run_two_at_once(self<nothing>, ref<item> to, int from, int count) {
  int number = 0;
  co_await troupe::when_all(send_some(to, from, number, count / 2),
                            send_some(to, from, number, count - count / 2));
}

constexpr int senders = 50;
constexpr int each = 400;

}  // namespace

TEST_CASE("who waited for room among a crowd sends several at once, and the others have their turns") {
  host h(1);
  const auto all = std::make_shared<seen>(senders);
  const auto to = h->spawn({.mailbox = 64}, run_sink, all);
  h->spawn(
      [](self<nothing> me, ref<item> sink) -> actor {  // all begin when it has run
        for (int i = 0; i < senders; ++i) me.spawn(run_source, sink, i, each);
        co_await me.serve();
      },
      to);
  CHECK(eventually([&] { return all->came == senders * each; }));
  h.finish();
  CHECK(all->in_order);
  CHECK(all->longest > 8);
  CHECK(all->widest <= 2 * 64 + 2 * 16);  // the first fills the mailbox before the others begin
}

TEST_CASE("a head start overtakes no message of the same actor, whatever there is room for") {
  for (const unsigned room : {1u, 2u, 7u, 16u, 64u}) {
    host h(1);
    const auto all = std::make_shared<seen>(senders);
    const auto to = h->spawn({.mailbox = room}, run_sink, all);
    for (int i = 0; i < senders; ++i) h->spawn(i % 2 == 0 ? run_two_at_once : run_source, to, i, each / 4);
    CHECK(eventually([&] { return all->came == senders * each / 4; }));
    h.finish();
    CHECK(all->in_order);
  }
}

TEST_CASE("who is of another worker is let in among neighbours that have head starts") {
  host h(2);
  const auto all = std::make_shared<seen>(senders);
  const auto to = h->spawn({.mailbox = 64, .worker = 0}, run_sink, all);
  for (int i = 0; i < senders; ++i)
    h->spawn({.worker = i % 10 == 0 ? 1u : 0u}, i % 2 == 0 ? run_two_at_once : run_source, to, i, each);
  CHECK(eventually([&] { return all->came == senders * each; }));
  h.finish();
  CHECK(all->in_order);
}
