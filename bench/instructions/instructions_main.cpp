// bench_instructions PATH COUNT: does one thing so many times on a node with one worker, and no more than it must beside. Run
// twice under an instruction counter, with two counts, it says what one costs (check_caps.cmake).
#include <cstdlib>
#include <cstring>

#include "on_a_node.hpp"

namespace bench {
namespace {

constexpr std::uint64_t most = 20'000;

/// A message to an actor that takes none, and has room.
troupe::actor run_asleep(troupe::self<number> me) { co_await me.sleep(std::chrono::hours(1)); }
troupe::actor run_send(troupe::self<nothing> me, report done, std::uint64_t count) {
  const auto sink = me.spawn({.mailbox = most}, run_asleep);
  for (std::uint64_t i = 0; i < count; ++i) co_await sink.send<number>(i);
  done->set_value(0);
}

/// Whoever takes messages has the same number of them, however many it takes.
template <class Self>
troupe::task<void> fill_own_mailbox(Self& me) {
  const auto to_me = me.me();
  for (std::uint64_t i = 0; i < most; ++i) co_await to_me.template send<number>(i);
}
troupe::actor run_receiver(troupe::self<number> me, report done, std::uint64_t count) {
  co_await fill_own_mailbox(me);
  std::int64_t sum = 0;
  const auto take = [&](number n) { sum += n.value; };
  for (std::uint64_t i = 0; i < count; ++i) (void)co_await me.receive(take);
  check(sum == sum_below(count), "receive: the sum is wrong");
  done->set_value(0);
  co_await me.sleep(std::chrono::hours(1));  // what is left stays where it is
}
troupe::actor run_server(troupe::self<number> me, report done, std::uint64_t count) {
  co_await fill_own_mailbox(me);
  std::int64_t sum = 0;
  std::uint64_t left = count;
  co_await me.serve([&](number n) {
    sum += n.value;
    if (--left != 0) return;
    check(sum == sum_below(count), "serve: the sum is wrong");
    done->set_value(0);
    me.stop();
  });
  co_await me.sleep(std::chrono::hours(1));
}
template <troupe::actor Taker(troupe::self<number>, report, std::uint64_t)>
troupe::actor run_take(troupe::self<nothing> me, report done, std::uint64_t count) {
  me.spawn({.mailbox = most}, Taker, done, count);
  co_await me.sleep(std::chrono::hours(1));
}

/// A message from one of two actors to the other, which waits for it.
troupe::actor run_hops(troupe::self<number> me, report done, std::uint64_t count) {
  const auto pong = me.spawn(run_echo, me.me());
  const auto take = [](number) {};
  for (std::uint64_t i = 0; i < count / 2; ++i) {
    co_await pong.send<number>(i);
    (void)co_await me.receive(take);
  }
  done->set_value(0);
}

/// A message that waits for room, as those of a crowd do that sends more than its target has room for.
troupe::actor run_one_of_a_crowd(troupe::self<nothing>, troupe::ref<number> to, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) co_await to.send<number>(i);
}
troupe::actor run_crowd(troupe::self<number> me, report done, std::uint64_t count) {
  constexpr unsigned crowd = 100;
  for (unsigned i = 0; i < crowd; ++i) me.spawn(run_one_of_a_crowd, me.me(), count / crowd);
  std::uint64_t left = count;
  co_await me.serve([&](number) {
    if (--left == 0) me.stop();
  });
  done->set_value(0);
}
template <std::uint32_t room>
troupe::actor run_wait(troupe::self<nothing> me, report done, std::uint64_t count) {
  me.spawn({.mailbox = room}, run_crowd, done, count);
  co_await me.sleep(std::chrono::hours(1));
}

/// A question and its answer, with a deadline.
struct twice {
  using reply = std::int64_t;
  std::int64_t value;
};
troupe::actor run_doubler(troupe::self<twice> me) {
  co_await me.serve([](twice t) { return 2 * t.value; });
}
troupe::actor run_ask(troupe::self<nothing> me, report done, std::uint64_t count) {
  const auto doubler = me.spawn(run_doubler);
  std::int64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto answer = co_await doubler.ask<twice>(i).within(std::chrono::seconds(100));
    if (answer) sum += *answer;
  }
  check(sum == 2 * sum_below(count), "ask: the sum is wrong");
  done->set_value(0);
}

/// A timer that is armed and cancelled.
troupe::actor run_timer(troupe::self<number> me, report done, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i)
    me.cancel(me.send_after<number>(std::chrono::seconds(100), me.me(), i));
  done->set_value(0);
  co_return;
}

/// An actor from its spawn to its end, a hundred at a time; of each hundred one tells, in one message, that it has begun.
troupe::actor run_brief(troupe::self<nothing>, troupe::ref<number> to) {
  if (to) co_await to.send<number>(0);
}
troupe::actor run_spawn(troupe::self<number> me, report done, std::uint64_t count) {
  const auto take = [](number) {};
  for (std::uint64_t i = 0; i < count; i += 100) {
    for (unsigned k = 1; k < 100; ++k) me.spawn(run_brief, troupe::ref<number>());
    me.spawn(run_brief, me.me());
    (void)co_await me.receive(take);
  }
  done->set_value(0);
}

/// As on_a_node, but without io_uring, since valgrind stops all threads while one sleeps in a ring, and without alarms for
/// what takes long there.
template <class F>
void on_a_node_under_valgrind(F path, std::uint64_t count) {
  auto started =
      troupe::node::start({.name = "bench",
                           .workers = 1,
                           .io = troupe::io_backend::asio,
                           .watchdog = {.wait = std::chrono::hours(1), .held = std::chrono::hours(1)}});
  if (!started) check(false, started.error().text.c_str());
  auto* const node = new troupe::node(std::move(*started));
  const report done = std::make_shared<std::promise<double>>();
  auto ended = done->get_future();
  node->spawn(path, done, count);
  ended.get();
}

void run(const char* path, std::uint64_t count) {
  check(count > 0 && count <= most && count % 100 == 0, "the count is a multiple of 100, at most 20000");
  const auto is = [&](const char* name) { return std::strcmp(path, name) == 0; };
  if (is("send")) return on_a_node_under_valgrind(run_send, count);
  if (is("receive")) return on_a_node_under_valgrind(run_take<run_receiver>, count);
  if (is("serve")) return on_a_node_under_valgrind(run_take<run_server>, count);
  if (is("hop")) return on_a_node_under_valgrind(run_hops, count);
  if (is("wait")) return on_a_node_under_valgrind(run_wait<32>, count);
  if (is("ask")) return on_a_node_under_valgrind(run_ask, count);
  if (is("timer")) return on_a_node_under_valgrind(run_timer, count);
  if (is("spawn")) return on_a_node_under_valgrind(run_spawn, count);
  check(false, "PATH is send, receive, serve, hop, wait, ask, timer or spawn");
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::check(argc == 3, "usage: bench_instructions PATH COUNT");
  bench::run(argv[1], std::strtoull(argv[2], nullptr, 10));
  std::_Exit(0);  // taking down what is left is not counted
}
