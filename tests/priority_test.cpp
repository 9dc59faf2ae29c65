// Priorities: lanes of a mailbox, each in order and with limits of its own; the higher first, the lower not starved.
#include "remote_support.hpp"

#include <troupe/bounds.hpp>

namespace priority_messages {

struct plain {
  std::int64_t value;
};
struct urgent {
  std::int64_t value;
  static constexpr auto priority = troupe::priority::high;
};
struct idle {
  std::int64_t value;
  static constexpr auto priority = troupe::priority::low;
};
struct go {
  static constexpr auto priority = troupe::priority::high;
};

}  // namespace priority_messages

using namespace test;
using namespace priority_messages;
using troupe::overflow;

namespace {

using desk = troupe::protocol<plain, urgent, idle, go>;
using nothing = troupe::protocol<>;

actor run_desk(self<desk> me, book said) {
  (void)co_await me.receive<go>();
  co_await me.serve([&](plain p) { said->add("n" + std::to_string(p.value)); },
                    [&](urgent u) { said->add("h" + std::to_string(u.value)); },
                    [&](idle i) { said->add("l" + std::to_string(i.value)); }, [](go) {});
}

lines some(const std::string& letter, int first, int count) {
  lines l;
  for (int i = first; i < first + count; ++i) l.push_back(letter + std::to_string(i));
  return l;
}
lines operator+(lines a, const lines& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("priorities: the higher goes first, each in its order") {
  host h(2);
  const auto said = new_book();
  const auto to = h->spawn(on_worker(0), run_desk, said);
  for (int i = 0; i < 4; ++i) {
    CHECK(to.try_send<idle>(i).has_value());
    CHECK(to.try_send<plain>(i).has_value());
    CHECK(to.try_send<urgent>(i).has_value());
  }
  CHECK(to.try_send<go>().has_value());
  CHECK(said->wait_for(12) == some("h", 0, 4) + some("n", 0, 4) + some("l", 0, 4));
  h.finish();
}

TEST_CASE("priorities: after eight of a higher one, a lower one has its turn") {
  host h(1);
  const auto said = new_book();
  const auto to = h->spawn(on_worker(0), run_desk, said);
  for (int i = 0; i < 40; ++i) {
    CHECK(to.try_send<urgent>(i).has_value());
    CHECK(to.try_send<plain>(i).has_value());
  }
  for (int i = 0; i < 3; ++i) CHECK(to.try_send<idle>(i).has_value());
  CHECK(to.try_send<go>().has_value());
  const lines all = said->wait_for(83);
  REQUIRE(all.size() == 83);
  int since_low = 0;
  int since_normal = 0;
  lines by_letter[3];
  for (const std::string& line : all) {
    const std::size_t lane = line[0] == 'h' ? 0 : line[0] == 'n' ? 1 : 2;
    by_letter[lane].push_back(line);
    since_low = lane == 2 ? 0 : since_low + 1;
    since_normal = lane == 1 ? 0 : since_normal + 1;
    if (by_letter[2].size() < 3) CHECK(since_low <= 9);
    if (by_letter[1].size() < 40) CHECK(since_normal <= 10);
  }
  CHECK(by_letter[0] == some("h", 0, 40));
  CHECK(by_letter[1] == some("n", 0, 40));
  CHECK(by_letter[2] == some("l", 0, 3));
  h.finish();
}

TEST_CASE("priorities: a mailbox full of one has room for the others") {
  host h(2);
  const auto said = new_book();
  const auto to = h->spawn(on_worker(0, 5), run_desk, said);
  for (int i = 0; i < 5; ++i) CHECK(to.try_send<plain>(i).has_value());
  CHECK(text_of(to.try_send<plain>(5)) == "full");
  auto waits = start_playing<nothing>(
      *h, [&](self<nothing>&) -> troupe::task<void> { must((co_await to.send<plain>(5)).has_value()); },
      on_worker(1));
  CHECK(somebody_waits(*h));
  for (int i = 0; i < 4; ++i) CHECK(to.try_send<urgent>(i).has_value());
  for (int i = 0; i < 5; ++i) CHECK(to.try_send<idle>(i).has_value());
  CHECK(text_of(to.try_send<idle>(5)) == "full");
  CHECK(to.try_send<go>().has_value());
  CHECK(said->wait_for(15) ==
        some("h", 0, 4) + some("n", 0, 4) + some("l", 0, 1) + some("n", 4, 2) + some("l", 1, 4));
  waits.finish();
  h.finish();
}

TEST_CASE("priorities: drop_oldest makes room in the lane of the new message alone") {
  host h(1);
  const auto said = new_book();
  troupe::spawn_options options = on_worker(0, 3);
  options.when_full = overflow::drop_oldest;
  const auto to = h->spawn(options, run_desk, said);
  play(
      *h,
      [&](self<nothing>&) -> troupe::task<void> {
        for (int i = 0; i < 3; ++i) must((co_await to.send<urgent>(i)).has_value());
        for (int i = 0; i < 20; ++i) must((co_await to.send<plain>(i)).has_value());
        must((co_await to.send<go>()).has_value());  // takes the place of the first urgent one
      },
      on_worker(0));
  const lines all = said->wait_for(5);
  CHECK(all == some("h", 1, 2) + some("n", 17, 3));
  h.finish();
}

TEST_CASE("priorities: a selective receive finds its message in its lane, and puts it back there") {
  host h(1);
  const auto said = new_book();
  const auto to = h->spawn(
      on_worker(0),
      [](self<desk> me, book b) -> actor {
        (void)co_await me.receive<go>();
        for (int i = 0; i < 2; ++i) {
          const auto found = co_await me.receive<idle>();
          b->add("l" + std::to_string(found->value));
        }
        const auto high = co_await me.receive<urgent>();
        b->add("h" + std::to_string(high->value));
        co_await me.serve([&](plain p) { b->add("n" + std::to_string(p.value)); },
                          [&](urgent u) { b->add("h" + std::to_string(u.value)); },
                          [&](idle i) { b->add("l" + std::to_string(i.value)); }, [](go) {});
      },
      said);
  for (int i = 0; i < 3; ++i) {
    CHECK(to.try_send<plain>(i).has_value());
    CHECK(to.try_send<idle>(i).has_value());
    CHECK(to.try_send<urgent>(i).has_value());
  }
  CHECK(to.try_send<go>().has_value());
  CHECK(said->wait_for(9) == lines{"l0", "l1", "h0", "h1", "h2", "n0", "n1", "n2", "l2"});
  h.finish();
}

TEST_CASE("priorities: what peers send is sorted as well") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    two_nodes nodes(how);
    const auto said = new_book();
    const auto local = nodes.back.spawn(run_desk, said);
    const auto far = seen_from(nodes.front, nodes.back, local);
    play(
        nodes.front,
        [&](self<nothing>&) -> troupe::task<void> {
          for (int i = 0; i < 4; ++i) {
            must((co_await far.send<idle>(i)).has_value());
            must((co_await far.send<plain>(i)).has_value());
            must((co_await far.send<urgent>(i)).has_value());
          }
        },
        on_worker(0));
    CHECK(eventually([&] { return nodes.back.accounting().pending == 12; }));
    CHECK(local.try_send<go>().has_value());
    CHECK(said->wait_for(12) == some("h", 0, 4) + some("n", 0, 4) + some("l", 0, 4));
    nodes.back.kill(local);
    nodes.finish();
  }
}

TEST_CASE("priorities: a slot whose last actor had priorities serves one that has none") {
  host h(1);
  for (int round = 0; round < 100; ++round) {
    const auto said = new_book();
    const auto before = h->spawn(on_worker(0), run_desk, said);
    CHECK(before.try_send<urgent>(1).has_value());
    h->kill(before);
    const auto after = h->spawn(
        on_worker(0),
        [](self<plain> me, book b) -> actor {
          co_await me.serve([&](plain p) { b->add(std::to_string(p.value)); });
        },
        said);
    CHECK(after.try_send<plain>(7).has_value());
    CHECK(said->wait_for(1) == lines{"7"});
    (void)before.try_send<urgent>(2);
    h->kill(after);
  }
  h.finish();
}

namespace priority_messages {

struct ticket {
  troupe::priority priority;  // a field like any other
  std::int64_t number;
};

}  // namespace priority_messages

static_assert(troupe::detail::priority_of<ticket>() == troupe::priority::normal);
static_assert(troupe::detail::priority_of<urgent>() == troupe::priority::high);
