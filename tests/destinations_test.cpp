// Credit windows, routes and waiters of one sending stream, without a link.
#include "destinations.hpp"

#include "catch.hpp"
#include "scheduler.hpp"

using namespace troupe;
using namespace troupe::detail;

namespace {

struct table_of {
  explicit table_of(const credit_limits& l)
      : workers(*scheduler::create(os_env(), {1, io_backend::asio})), table(l, workers->at(0), retry) {}
  ~table_of() { workers->at(0).cancel(retry); }

  std::unique_ptr<scheduler> workers;
  deferred retry{[](deferred&) noexcept {}};
  destination_table table;
};

constexpr wire_type schema_a{"a", 1, nullptr, nullptr, 0};
constexpr wire_type schema_b{"b", 2, nullptr, nullptr, 0};

struct silent_waiter : room_waiter {
  explicit silent_waiter(std::uint64_t target) : room_waiter([](room_waiter&, send_outcome) noexcept {}) {
    what.target = target;
  }
};

}  // namespace

TEST_CASE("the destination that was idle longest gives its window to a newcomer") {
  table_of t({1000, 2, 10});
  destination* const first = t.table.open(1);
  destination* const second = t.table.open(2);
  REQUIRE(first != nullptr);
  REQUIRE(second != nullptr);
  t.table.spend(*first, 100);
  REQUIRE(t.table.give_back(first->window, 100));  // first is the younger idle one now
  const std::uint32_t window_of_second = second->window;
  destination* const third = t.table.open(3);
  REQUIRE(third != nullptr);
  CHECK(third->window == window_of_second);
  CHECK(t.table.find(2) == nullptr);
  CHECK(t.table.find(1) == first);
  CHECK(t.table.size() == 2);
}

TEST_CASE(
    "a destination with credit out keeps its window, and newcomers wait for the first one that is idle") {
  table_of t({1000, 1, 10});
  destination* const busy = t.table.open(1);
  t.table.spend(*busy, 1000);
  CHECK(t.table.open(2) == nullptr);
  silent_waiter waiter(2);
  t.table.wait(waiter);
  CHECK(t.table.next_ready() == nullptr);
  CHECK(t.table.open(3) == nullptr);  // never before the one who waits
  REQUIRE(t.table.give_back(busy->window, 1000));
  destination* const ready = t.table.next_ready();
  REQUIRE(ready != nullptr);
  CHECK(ready->target == 2);
  CHECK(t.table.find(1) == nullptr);
  destination_table::remove(waiter);
  CHECK(t.table.size() == 1);
}

TEST_CASE("credit beyond what a destination owes, or for none, is refused") {
  table_of t({1000, 4, 10});
  destination* const d = t.table.open(1);
  t.table.spend(*d, 600);
  CHECK_FALSE(t.table.give_back(d->window, 601));
  CHECK_FALSE(t.table.give_back(d->window, ~0u));
  CHECK_FALSE(t.table.give_back(d->window + 1, 1));
  CHECK(t.table.give_back(d->window, 600));
  CHECK_FALSE(t.table.give_back(d->window, 1));
}

TEST_CASE(
    "when the route numbers are used up, a destination that has several gives its oldest to one that has "
    "none") {
  table_of t({1000, 2, 2});
  destination* const rich = t.table.open(1);
  rich->routes.push_back({&schema_a, t.table.route_number(*rich)});
  rich->routes.push_back({&schema_b, t.table.route_number(*rich)});
  destination* const poor = t.table.open(2);
  const std::uint32_t number = t.table.route_number(*poor);
  CHECK(number == 0);
  CHECK(rich->find(&schema_a) == nullptr);
  CHECK(rich->find(&schema_b)->number == 1);
  poor->routes.push_back({&schema_a, number});
  CHECK(t.table.route_number(*rich) == 1);  // its own, now that nobody has more than one
}

TEST_CASE("waiters are served in their order, and one that goes away leaves the others theirs") {
  table_of t({1000, 1, 10});
  silent_waiter first(1);
  auto second = std::make_unique<silent_waiter>(1);
  silent_waiter third(1);
  t.table.wait(first);
  t.table.wait(*second);
  t.table.wait(third);
  second.reset();
  destination* const d = t.table.next_ready();
  REQUIRE(d != nullptr);
  CHECK(d->first == &first);
  destination_table::remove(first);
  CHECK(t.table.next_ready() == d);
  CHECK(d->first == &third);
  CHECK(t.table.take_any() == &third);
  CHECK(t.table.next_ready() == nullptr);
}
