// What a mailbox has room for, in messages and bytes, alone and with all others of its node, and what it does with one
// message more.
#include "remote_support.hpp"

#include <future>
#include <memory>

#include <troupe/bounds.hpp>
#include <troupe/down.hpp>

namespace bounds_messages {

struct number {
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

}  // namespace bounds_messages

using namespace test;
using namespace bounds_messages;
using troupe::overflow;

namespace {

using shelf = troupe::protocol<number, text, query, open, troupe::down>;
using nothing = troupe::protocol<>;

/// Takes nothing until it is opened; then notes the numbers, and "down" for a DOWN.
actor run_shelf(self<shelf> me, book said) {
  (void)co_await me.receive<open>();
  co_await me.serve([&](number n) { said->add(std::to_string(n.value)); },
                    [&](const text& t) { said->add(std::to_string(t.bytes.size())); },
                    [&](query q) {
                      said->add("query " + std::to_string(q.value));
                      return q.value;
                    },
                    [&](open) { said->add("open"); }, [&](const troupe::down&) { said->add("down"); });
}

troupe::spawn_options with(overflow policy, std::uint32_t messages, std::uint64_t bytes = 16u << 20) {
  troupe::spawn_options o;
  o.mailbox = messages;
  o.mailbox_bytes = bytes;
  o.when_full = policy;
  o.worker = 0;
  return o;
}

std::uint64_t dead(troupe::node& n, errc why) {
  return n.accounting().undelivered[static_cast<std::size_t>(why)];
}

/// From a thread, or from an actor of the shelf's worker, of the other one, or of another node.
enum class whence { thread, home, elsewhere };

void send_numbers(troupe::node& from, whence w, const ref<shelf>& to, int count, std::string wanted) {
  if (w == whence::thread) {
    for (int i = 0; i < count; ++i) CHECK(text_of(to.try_send<number>(i)) == wanted);
    return;
  }
  const auto send_all = [&](self<nothing>&) -> troupe::task<void> {
    for (int i = 0; i < count; ++i) {
      const auto sent = co_await to.send<number>(i);
      CHECK(text_of(sent) == wanted);
    }
  };
  play(from, send_all, on_worker(w == whence::home ? 0 : 1));
}

lines numbers(int first, int count) {
  lines l;
  for (int i = first; i < first + count; ++i) l.push_back(std::to_string(i));
  return l;
}

}  // namespace

TEST_CASE("overflow: drop_newest keeps what came first, and counts the rest as shed") {
  for (const whence w : {whence::thread, whence::home, whence::elsewhere}) {
    host h(2);
    const auto said = new_book();
    const auto full = h->spawn(with(overflow::drop_newest, 10), run_shelf, said);
    send_numbers(*h, w, full, 100, "ok");
    CHECK(full.try_send<open>().has_value());
    CHECK(said->wait_for(10) == numbers(0, 10));
    CHECK(dead(*h, errc::shed) == 90);
    h.finish();
  }
}

TEST_CASE("overflow: drop_oldest keeps what came last, and counts the rest as shed") {
  for (const whence w : {whence::home, whence::elsewhere}) {
    host h(2);
    const auto said = new_book();
    const auto full = h->spawn(with(overflow::drop_oldest, 10), run_shelf, said);
    send_numbers(*h, w, full, 10, "ok");  // no more at a time than the inlet holds
    CHECK(eventually([&] { return h->accounting().pending == 10; }));
    for (std::uint64_t round = 1; round <= 9; ++round) {
      send_numbers(*h, w, full, 10, "ok");
      CHECK(eventually([&] { return dead(*h, errc::shed) == 10 * round; }));
    }
    CHECK(full.try_send<open>().has_value());
    CHECK(said->wait_for(10) == numbers(0, 10));
    h.finish();
  }
}

TEST_CASE("overflow: while their home worker is held, drop_oldest sheds the newest, and nothing grows") {
  host h(2);
  const auto said = new_book();
  const auto held = std::make_shared<gate>();
  h->spawn(on_worker(0), run_until_open, held);
  const auto full = h->spawn(with(overflow::drop_oldest, 10), run_shelf, said);
  for (int i = 0; i < 1000; ++i) CHECK(full.try_send<number>(i).has_value());
  CHECK(full.try_send<open>().has_value());
  held->open();
  CHECK(said->wait_for(10) == numbers(0, 10));
  CHECK(dead(*h, errc::shed) == 990);
  h.finish();
}

TEST_CASE("overflow: reject says full to senders and mailbox full to askers, and keeps what it has") {
  for (const whence w : {whence::thread, whence::home, whence::elsewhere}) {
    host h(2);
    const auto said = new_book();
    const auto full = h->spawn(with(overflow::reject, 10), run_shelf, said);
    send_numbers(*h, w, full, 10, "ok");
    send_numbers(*h, w, full, 20, "full");
    const auto asked = full.blocking_ask<query>(patience, 1);
    CHECK((!asked && asked.error() == errc::mailbox_full));
    CHECK(full.try_send<open>().has_value());
    CHECK(said->wait_for(10) == numbers(0, 10));
    CHECK(h->accounting().refused >= 21);
    h.finish();
  }
}

TEST_CASE("overflow: what an actor never took does not count against the next one in its slot") {
  host h(2);
  const auto said = new_book();
  for (int round = 0; round < 50; ++round) {
    const auto held = std::make_shared<gate>();
    h->spawn(on_worker(0), run_until_open, held);
    const auto first = h->spawn(with(overflow::reject, 10), run_shelf, said);
    for (int i = 0; i < 10; ++i) CHECK(first.try_send<number>(i).has_value());
    h->kill(first);
    held->open();
    CHECK(eventually([&] { return h->live_actors() == 1; }));
    const auto next = h->spawn(with(overflow::reject, 10), run_shelf, said);
    // A message that is being moved from the inlet to the queue counts twice for a moment: not up to the limit.
    for (int i = 0; i < 5; ++i) CHECK(text_of(next.try_send<number>(i)) == "ok");
    h->kill(next);
    CHECK(eventually([&] { return h->live_actors() == 1; }));
  }
  h.finish();
}

TEST_CASE("overflow: a request that is shed says so to its asker") {
  host h(2);
  for (const overflow policy : {overflow::drop_newest, overflow::drop_oldest}) {
    const auto said = new_book();
    const auto full = h->spawn(with(policy, 1), run_shelf, said);
    const auto asking = [&](self<nothing>&) -> troupe::task<void> {
      const auto asked = co_await full.ask<query>(1).within(patience);
      CHECK((!asked && asked.error() == errc::shed));
    };
    if (policy == overflow::drop_newest) {
      CHECK(full.try_send<number>(1).has_value());
      play(*h, asking, on_worker(1));
    } else {
      auto asker = start_playing<nothing>(
          *h,
          [&](self<nothing>&) -> troupe::task<void> {
            const auto asked = co_await full.ask<query>(1).within(patience);
            must(!asked && asked.error() == errc::shed);
          },
          on_worker(1));
      CHECK(eventually([&] { return h->accounting().pending == 1; }));
      const auto others = dead(*h, errc::shed);
      CHECK(full.try_send<number>(1).has_value());
      asker.finish();
      CHECK(dead(*h, errc::shed) == others + 1);
    }
    h->kill(full);
  }
  h.finish();
}

TEST_CASE("overflow: a full mailbox that drops never drops a DOWN") {
  host h(1);
  const auto said = new_book();
  const auto full = h->spawn(
      with(overflow::drop_oldest, 3),
      [](self<shelf> me, book b) -> actor {
        std::vector<ref<>> children;
        for (int i = 0; i < 5; ++i) {
          children.push_back(me.spawn([](self<nothing>) -> actor { co_return; }));
          me.monitor(children.back());
        }
        (void)co_await me.receive<open>();
        co_await me.serve([&](number n) { b->add(std::to_string(n.value)); }, [](const text&) {},
                          [](query) { return std::int64_t{0}; }, [](open) {},
                          [&](const troupe::down&) { b->add("down"); });
      },
      said);
  CHECK(eventually([&] { return h->accounting().pending == 5; }));  // the DOWNs
  send_numbers(*h, whence::home, full, 50, "ok");
  CHECK(full.try_send<open>().has_value());
  CHECK(said->wait_for(8) == lines{"down", "down", "down", "down", "down", "47", "48", "49"});
  h.finish();
}

TEST_CASE("overflow: of what peers send, a full mailbox sheds as much, and their links go on") {
  for (const setting& how : every_setting()) {
    for (const overflow policy : {overflow::reject, overflow::drop_newest, overflow::drop_oldest}) {
      INFO(how.text());
      two_nodes nodes(how);
      const auto said = new_book();
      const auto local = nodes.back.spawn(with(policy, 10), run_shelf, said);
      const auto far = seen_from(nodes.front, nodes.back, local);
      constexpr int count = 20'000;  // far more than the link's credit
      play(nodes.front, [&](self<nothing>&) -> troupe::task<void> {
        for (int i = 0; i < count; ++i) {
          const auto sent = co_await far.send<number>(i);
          CHECK(sent.has_value());
        }
        const auto asked =
            co_await far.ask<query>(1).within(policy == overflow::drop_oldest ? 1ms : patience);
        const errc wanted = policy == overflow::reject        ? errc::mailbox_full
                            : policy == overflow::drop_newest ? errc::shed
                                                              : errc::expired;
        CHECK((!asked && asked.error() == wanted));
      });
      const errc why = policy == overflow::reject ? errc::mailbox_full : errc::shed;
      const bool oldest = policy == overflow::drop_oldest;
      CHECK(eventually([&] { return dead(nodes.back, why) == static_cast<std::uint64_t>(count - 10 + 1); }));
      if (oldest) CHECK(eventually([&] { return dead(nodes.back, errc::expired) == 1; }));  // the query
      CHECK(local.try_send<open>().has_value());
      CHECK(said->wait_for(oldest ? 9 : 10) == (oldest ? numbers(count - 9, 9) : numbers(0, 10)));
      nodes.back.kill(local);
      nodes.finish();
    }
  }
}

TEST_CASE("a mailbox is full at its limit of bytes, and one message finds room whatever its size") {
  host h(2);
  for (const whence w : {whence::thread, whence::home, whence::elsewhere}) {
    const auto said = new_book();
    const auto full = h->spawn(with(overflow::reject, 1000, 10'000), run_shelf, said);
    const std::string huge(100'000, 'x');
    const std::string kilo(1000, 'x');
    const auto fill = [&](const std::string& bytes) {
      int sent = 0;
      if (w == whence::thread) {
        while (full.try_send<text>(bytes)) ++sent;
        return sent;
      }
      play(
          *h,
          [&](self<nothing>&) -> troupe::task<void> {
            while (co_await full.send<text>(bytes)) ++sent;
          },
          on_worker(w == whence::home ? 0 : 1));
      return sent;
    };
    CHECK(fill(huge) == 1);
    CHECK(full.try_send<open>().has_value());
    CHECK(said->wait_for(1) == lines{"100000"});
    h->kill(full);
    const auto small = h->spawn(with(overflow::reject, 1000, 10'000), run_shelf, said);
    int sent = 0;
    while (small.try_send<text>(kilo)) ++sent;
    CHECK((sent >= 9 && sent <= 10));
    h->kill(small);
  }
  h.finish();
}

TEST_CASE("what waits for a mailbox's bytes is let in when half of them are taken") {
  host h(2);
  const auto said = new_book();
  const auto full = h->spawn(with(overflow::wait, 1000, 10'000), run_shelf, said);
  const std::string kilo(1000, 'x');
  auto sender = start_playing<nothing>(
      *h,
      [&](self<nothing>&) -> troupe::task<void> {
        for (int i = 0; i < 100; ++i) must((co_await full.send<text>(kilo)).has_value());
      },
      on_worker(1));
  CHECK(somebody_waits(*h));
  CHECK(h->accounting().pending <= 11);
  CHECK(full.try_send<open>().has_value());
  sender.finish();
  CHECK(said->wait_for(100) == lines(100, "1000"));
  h.finish();
}

TEST_CASE("the node's mailboxes together hold what the node has room for, and each holds one message") {
  troupe::node_options options;
  options.mailbox_memory = 1 << 20;
  host h(2, options);
  const auto said = new_book();
  const auto one = h->spawn(with(overflow::wait, 1 << 20), run_shelf, said);
  const auto other = h->spawn(with(overflow::wait, 1 << 20), run_shelf, said);
  const std::string bytes(10'000, 'x');
  const auto fill = [&](const ref<shelf>& to) {
    int sent = 0;
    play(
        *h,
        [&](self<nothing>&) -> troupe::task<void> {
          while ((co_await to.send<text>(bytes).within(2ms)).has_value()) ++sent;
        },
        on_worker(0));
    return sent;
  };
  const int most = fill(one);
  CHECK((most > 95 && most < 112));  // 104 of them are a MiB; the sum is exact to a sixteenth
  CHECK(fill(other) == 1);
  CHECK(fill(other) == 0);

  // What waits at the other one is let in when there is room again, though nobody takes a message there.
  auto waits = start_playing<nothing>(
      *h, [&](self<nothing>&) -> troupe::task<void> { must((co_await other.send<text>(bytes)).has_value()); },
      on_worker(1));
  CHECK(somebody_waits(*h));
  CHECK(one.try_send<open>().has_value());
  waits.finish();
  CHECK(said->wait_for(static_cast<std::size_t>(most)).size() == static_cast<std::size_t>(most));
  h.finish();
}

TEST_CASE("what is on its way to a worker that is busy counts against the node's memory") {
  struct gate {
    std::promise<void> held, go;
  };
  for (const whence w : {whence::thread, whence::elsewhere}) {
    for (const overflow policy :
         {overflow::wait, overflow::reject, overflow::drop_newest, overflow::drop_oldest}) {
      troupe::node_options options;
      options.mailbox_memory = 1 << 20;
      host h(2, options);
      const auto said = new_book();
      const auto busy = std::make_shared<gate>();
      const auto one = h->spawn(with(policy, 1 << 20), run_shelf, said);
      h->spawn(
          on_worker(0),
          [](self<nothing>, std::shared_ptr<gate> g) -> actor {
            g->held.set_value();
            g->go.get_future().wait();
            co_return;
          },
          busy);
      busy->held.get_future().wait();
      const std::string bytes(10'000, 'x');
      std::size_t sent = 0;
      const auto fill = [&] {
        while (sent < 1000 && one.try_send<text>(bytes).has_value()) ++sent;
      };
      if (w == whence::thread) {
        fill();
      } else {
        const auto as_actor = [&](self<nothing>&) -> troupe::task<void> {
          fill();
          co_return;
        };
        play(*h, as_actor, on_worker(1));
      }
      busy->go.set_value();
      CHECK(one.try_send<open>().has_value());
      CHECK(eventually([&] { return h->accounting().pending == 0; }));
      const std::size_t kept = sent - dead(*h, errc::shed);
      CHECK((kept > 95 && kept < 112));
      CHECK(said->wait_for(kept).size() == kept);
      h.finish();
    }
  }
}

TEST_CASE("a node without room for one segment of messages is refused, with the bounds") {
  troupe::node_options options;
  options.mailbox_memory = 1000;
  const auto node = troupe::node::start(options);
  REQUIRE(!node);
  CHECK(node.error().text ==
        "node option mailbox_memory = 1000: use 1048576 bytes (1 MiB) to 70368744177664");
}

TEST_CASE("a node that would dial again for longer than a year is refused, with the bounds") {
  for (const troupe::duration rejoin : {troupe::duration(-1s), troupe::duration::max()}) {
    troupe::node_options options;
    options.rejoin = rejoin;
    const auto node = troupe::node::start(options);
    REQUIRE(!node);
    CHECK(node.error().text == "node option rejoin = " + std::to_string(rejoin / 1s) +
                                   " s: use 0 (it does not dial again) to a year");
  }
}

TEST_CASE("a node with rings of a size that is none is refused, with the bounds") {
  for (const std::uint32_t size : {0u, 1u, 128u << 10, (512u << 10) + 1, 128u << 20}) {
    troupe::node_options options;
    options.ring_bytes = size;
    const auto node = troupe::node::start(options);
    REQUIRE(!node);
    CHECK(node.error().text == "node option ring_bytes = " + std::to_string(size) +
                                   ": use a power of two from 262144 (256 KiB) to 67108864 (64 MiB)");
  }
}
