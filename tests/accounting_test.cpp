// The books: every accepted message is in exactly one place.
#include "actor_support.hpp"

#include <thread>

using namespace test;

namespace {

struct grain {
  std::uint32_t number;
  tracked life = {};
};
struct count {
  using reply = std::uint64_t;
};
using sand = troupe::protocol<grain, count>;

actor run_pile(self<sand> me) {
  std::uint64_t grains = 0;
  co_await me.serve([&](const grain&) { ++grains; }, [&](count) { return grains; });
}

actor run_pours(self<sand> me, ref<sand> to, std::uint32_t grains, book log) {
  (void)me;
  for (std::uint32_t i = 0; i < grains; ++i) co_await to.send<grain>(i);
  log->add("poured");
}

actor run_pours_until_refused(self<sand> me, ref<sand> to, book log) {
  (void)me;
  for (bool sent = true; sent;) {
    const auto one = co_await to.send<grain>(1u);
    sent = one.has_value();
  }
  log->add("refused");
}

}  // namespace

TEST_CASE("what is pending is found by walking the mailboxes") {
  host h(1);
  const auto there = std::make_shared<gate>();
  const auto deaf = h->spawn(
      [](self<sand> me, shared_gate at) -> actor {
        at->open();
        co_await me.sleep(1h);
      },
      there);
  REQUIRE(there->wait());
  for (std::uint32_t i = 0; i < 7; ++i) REQUIRE(deaf.try_send<grain>(i).has_value());
  const auto books = h->accounting();
  INFO(books.text());
  CHECK(books.pending == 7);
  CHECK(books.accepted_local == 7);
  CHECK(books.balanced());
  h->kill(deaf);
  h.finish();
}

TEST_CASE("a thousand messages sent are a thousand messages taken") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto pile = h->spawn(on_worker(0, 32), run_pile);
    for (unsigned i = 0; i < 4; ++i) h->spawn(on_worker(i), run_pours, pile, 250u, log);
    REQUIRE(log->wait_for(4).size() == 4);
    const auto grains = pile.blocking_ask<count>(patience);
    REQUIRE(grains.has_value());
    CHECK(*grains == 1000);
    const auto books = h->accounting();
    INFO(books.text());
    CHECK(books.taken == 1001);
    CHECK(books.accepted_local == 1001);
    CHECK(books.undelivered_total() == 0);
    h.finish();
  }
}

TEST_CASE("the books balance when actors are killed under load") {
  for (int round = 0; round < 20; ++round) {
    host h(2);
    const auto log = new_book();
    const auto pile = h->spawn(on_worker(0, 8), run_pile);
    for (unsigned i = 0; i < 4; ++i) h->spawn(on_worker(i), run_pours_until_refused, pile, log);
    while (h->accounting().taken < 200) std::this_thread::yield();
    h->kill(pile);
    REQUIRE(log->wait_for(4) == lines(4, "refused"));
    const auto books = h->accounting();
    INFO(books.text());
    CHECK(books.balanced());
    CHECK(books.refused == 4);
    h.finish();
  }
}

TEST_CASE("the books say in one line what they hold, and whether it adds up") {
  troupe::accounting books;
  books.accepted_local = 5;
  books.accepted_inbound = 2;
  books.taken = 3;
  books.pending = 1;
  books.handed_over = 1;
  books.unknown = 1;
  books.undelivered[static_cast<std::size_t>(errc::stopped)] = 1;
  CHECK(books.balanced());
  CHECK(books.text() ==
        "accepted 5 local + 2 inbound = taken 3 + pending 1 + handed over 1 + unknown 1 + undelivered 1 "
        "(stopped 1), "
        "balanced");
  books.taken = 2;
  CHECK_FALSE(books.balanced());
  CHECK(books.text().find("NOT BALANCED") != std::string::npos);
}
