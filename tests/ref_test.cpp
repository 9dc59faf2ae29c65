// ref: a small value that keeps its identity through conversions.
#include "actor_support.hpp"

#include <functional>
#include <thread>
#include <type_traits>
#include <unordered_set>

using namespace test;

namespace {

struct deposit {
  int cents;
};
struct withdraw {
  int cents;
};
using account = troupe::protocol<deposit, withdraw>;

/// Messages that cannot be encoded, and refs to those who take them, are fine inside a process.
struct job {
  std::function<void()> body;
};
struct hire {
  ref<job> who;
};

struct knock;
struct knock {
  ref<knock> back;
};

actor run_account(self<account> me) {
  co_await me.serve([](deposit) {}, [](withdraw) {});
}

static_assert(sizeof(ref<account>) == 16);
static_assert(std::is_trivially_copyable_v<ref<account>>);
static_assert(std::is_convertible_v<ref<account>, ref<deposit>>);
static_assert(std::is_convertible_v<ref<account>, ref<>>);
static_assert(std::is_convertible_v<ref<account>, ref<troupe::protocol<withdraw, deposit>>>);
static_assert(!std::is_convertible_v<ref<deposit>, ref<account>>);
static_assert(!std::is_convertible_v<ref<>, ref<deposit>>);
static_assert(troupe::encodable<ref<account>>);
static_assert(troupe::encodable<knock>);
static_assert(!troupe::encodable<ref<job>>);
static_assert(!troupe::encodable<hire>);

}  // namespace

TEST_CASE("a ref's equality and hash ignore its protocol") {
  host h(1);
  const auto a = h->spawn(run_account);
  const auto b = h->spawn(run_account);
  const ref<deposit> narrow = a;
  const ref<> any = narrow;
  CHECK(a == narrow);
  CHECK(narrow == any);
  CHECK(a == any);
  CHECK(a != b);
  CHECK(any != ref<>(b));
  CHECK(std::hash<ref<account>>()(a) == std::hash<ref<>>()(any));
  std::unordered_set<ref<>> seen = {a, narrow, any, b};
  CHECK(seen.size() == 2);
  CHECK_FALSE(ref<account>());
  CHECK(ref<account>() == ref<deposit>());
  CHECK(narrow.try_send<deposit>(1).has_value());
  h.finish();
}

TEST_CASE("a ref to an actor with local-only messages travels inside the process") {
  host h(2);
  const auto log = new_book();
  const auto worker = h->spawn(
      on_worker(0), [](self<job> me) -> actor { co_await me.serve([](const job& j) { j.body(); }); });
  const auto boss = h->spawn(
      on_worker(1),
      [](self<hire> me, book out) -> actor {
        co_await me.serve([&](hire who) -> troupe::task<> {
          std::function<void()> body = [out] { out->add("worked"); };
          co_await who.who.send<job>(troupe::give(body));
        });
      },
      log);
  REQUIRE(boss.try_send<hire>(worker).has_value());
  CHECK(log->wait_for(1) == lines{"worked"});
  h.finish();
}

TEST_CASE("actors pass refs to themselves around, and answers come back") {
  host h(2);
  const auto log = new_book();
  const auto echo = h->spawn(on_worker(0), [](self<knock> me) -> actor {
    co_await me.serve([&](knock k) -> troupe::task<> { co_await k.back.send<knock>(me.me()); });
  });
  h->spawn(
      on_worker(1),
      [](self<knock> me, ref<knock> to, book out) -> actor {
        for (int i = 0; i < 100; ++i) {
          co_await to.send<knock>(me.me());
          co_await me.receive([&](knock k) {
            if (k.back != to) out->add("stranger");
          });
        }
        out->add("done");
      },
      echo, log);
  CHECK(log->wait_for(1) == lines{"done"});
  h.finish();
}
