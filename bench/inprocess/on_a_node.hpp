// How the cases run their actors: on a node as anybody's, whose first actor measures and reports.
#pragma once

#include <future>
#include <memory>

#include <troupe/troupe.hpp>

#include "bench_case.hpp"

namespace bench {

using report = std::shared_ptr<std::promise<double>>;

/// What the streams and rings carry.
struct number {
  std::int64_t value;
};
/// The sum of all numbers that came before.
struct total {
  using reply = std::int64_t;
};
using numbers = troupe::protocol<number, total>;
using nothing = troupe::protocol<>;

inline troupe::actor run_sum(troupe::self<numbers> me) {
  std::int64_t sum = 0;
  co_await me.serve([&](number n) { sum += n.value; }, [&](total) { return sum; });
}

/// Sends each number back.
inline troupe::actor run_echo(troupe::self<number> me, troupe::ref<number> to) {
  std::int64_t last = 0;
  const auto take = [&](number n) { last = n.value; };
  for (;;) {
    const auto got = co_await me.receive(take);
    if (!got) co_return;
    co_await to.send<number>(last);
  }
}

/// The worker of the other one of two actors that talk; the first is on worker 0 when they are pinned.
inline troupe::spawn_options other_place(const setting& how) {
  troupe::spawn_options options;
  if (how.where == placement::pinned) options.worker = 1;
  return options;
}

/// A node that stays, and ends with the process.
inline troupe::node& new_node(const setting& how) {
  auto started = troupe::node::start({.name = "bench", .workers = how.workers});
  if (!started) check(false, started.error().text.c_str());
  return *new troupe::node(std::move(*started));
}

/// Runs `first` as the first actor of a new node: it fulfils the report.
template <class F, class... Args>
double on_a_node(const setting& how, F first, Args... args) {
  const report done = std::make_shared<std::promise<double>>();
  auto value = done->get_future();
  troupe::spawn_options options;
  if (how.where == placement::pinned) options.worker = 0;
  new_node(how).spawn(options, first, done, how, args...);
  return value.get();
}

}  // namespace bench
