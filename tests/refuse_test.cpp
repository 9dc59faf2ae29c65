// Handlers that answer a request with a value or an error, and handlers that leave their message where it was.
#include "remote_support.hpp"

using namespace test;

namespace refuse_test {

struct half {
  std::int64_t of;
  using reply = std::int64_t;
};
struct slow_half {
  std::int64_t of;
  using reply = std::int64_t;
};
struct check {
  bool good;
  using reply = void;
};
using halver = troupe::protocol<half, slow_half, check>;

/// Odd numbers have none.
result<std::int64_t> half_of(std::int64_t number) {
  if (number % 2 != 0) return errc::not_found;
  return number / 2;
}

actor run_halver(self<halver> me) {
  co_await me.serve([](half h) { return half_of(h.of); },
                    [&](slow_half h) -> troupe::task<result<std::int64_t>> {
                      co_await me.yield();
                      co_return half_of(h.of);
                    },
                    [](check c) -> result<void> {
                      if (!c.good) return errc::limit_reached;
                      return {};
                    });
}

struct take {
  std::int64_t number;
};
struct taken {
  using reply = std::int64_t;
};
using shy = troupe::protocol<take, taken>;

/// Its first serve leaves the third message, and the second one, under way by then, fails.
actor run_shy(self<shy> me) {
  std::int64_t all = 0;
  int calls = 0;
  try {
    co_await me.serve(
        troupe::interleave(9),
        [&](take&& t) -> troupe::task<void> {
          if (++calls == 3) throw troupe::detail::not_taken{errc::link_down};
          all = 10 * all + t.number;
          co_return;
        },
        [&](taken) -> troupe::task<std::int64_t> {
          ++calls;
          co_await me.sleep(1h);
          co_return 0;
        });
  } catch (const troupe::detail::not_taken&) {
    all = 10 * all;
  }
  co_await me.serve([&](take t) { all = 10 * all + t.number; }, [&](taken) { return all; });
}

template <class T>
std::string told(const result<T>& r) {
  if (!r) return r.error().text();
  if constexpr (std::is_void_v<T>) {
    return "ok";
  } else {
    return std::to_string(*r);
  }
}

}  // namespace refuse_test

using namespace refuse_test;

TEST_CASE("a handler may answer with an error, and the ask fails with that") {
  host node(1);
  const auto here = node->spawn(run_halver);
  CHECK(told(here.blocking_ask<half>(patience, 4)) == "2");
  CHECK(here.blocking_ask<half>(patience, 3).error() == errc::not_found);
  CHECK(told(here.blocking_ask<slow_half>(patience, 6)) == "3");
  CHECK(here.blocking_ask<slow_half>(patience, 5).error() == errc::not_found);
  CHECK(told(here.blocking_ask<check>(patience, true)) == "ok");
  CHECK(here.blocking_ask<check>(patience, false).error() == errc::limit_reached);
  node.finish();
}

TEST_CASE("a message that its handler does not take is the first of the next serve, and the books balance") {
  host node(1);
  const auto to = node->spawn(run_shy);
  CHECK(to.blocking_send<take>(patience, 1).has_value());
  std::string first;
  play(*node, [&](self<troupe::protocol<>>&) -> troupe::task<void> {
    const auto send = [&](std::int64_t number) -> troupe::task<void> {
      (void)co_await to.send<take>(number);
    };
    auto two = send(2);
    auto three = send(3);
    const auto all = co_await troupe::when_all(to.ask<taken>().within(patience), two, three);
    first = told(std::get<0>(all));
  });
  CHECK(first == "link down");
  CHECK(told(to.blocking_ask<taken>(patience)) == "1023");
  node.finish();
}
