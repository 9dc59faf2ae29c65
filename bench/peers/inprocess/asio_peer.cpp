// Boost.Asio: coroutines that talk through channels, on one thread or on a pool of two.
#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bench_case.hpp"
#include "memory.hpp"

namespace bench {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using boost::system::error_code;

using local_channel = asio::experimental::channel<void(error_code, std::int64_t)>;
using shared_channel = asio::experimental::concurrent_channel<void(error_code, std::int64_t)>;
constexpr std::size_t room = 1024;

/// Runs what was spawned to its end on so many threads.
void run(asio::io_context& io, unsigned workers) {
  std::vector<std::thread> others;
  for (unsigned i = 1; i < workers; ++i) others.emplace_back([&] { io.run(); });
  io.run();
  for (std::thread& t : others) t.join();
}

template <class Channel>
asio::awaitable<void> send_numbers(Channel& out, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i)
    co_await out.async_send(error_code(), static_cast<std::int64_t>(i), use_awaitable);
}
template <class Channel>
asio::awaitable<void> sum_numbers(Channel& in, std::uint64_t count, std::int64_t& sum) {
  for (std::uint64_t i = 0; i < count; ++i) sum += co_await in.async_receive(use_awaitable);
}
template <class Channel>
asio::awaitable<void> pass_on(Channel& in, Channel& out, std::uint64_t count, std::int64_t add) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::int64_t n = co_await in.async_receive(use_awaitable);
    co_await out.async_send(error_code(), n + add, use_awaitable);
  }
}
template <class Channel>
asio::awaitable<void> play(Channel& in, Channel& out, std::uint64_t count, std::int64_t& sum) {
  for (std::uint64_t i = 0; i < count; ++i) {
    co_await out.async_send(error_code(), static_cast<std::int64_t>(i), use_awaitable);
    sum += co_await in.async_receive(use_awaitable);
  }
}

template <class Channel>
double pingpong(const setting& how) {
  const std::uint64_t rounds = how.times(300'000);
  asio::io_context io(static_cast<int>(how.workers));
  Channel there(io, room);
  Channel back(io, room);
  std::int64_t sum = 0;
  asio::co_spawn(io, pass_on(there, back, rounds, 0), asio::detached);
  asio::co_spawn(io, play(back, there, rounds, sum), asio::detached);
  const stopwatch watch;
  run(io, how.workers);
  const double each = watch.ns_each(rounds);
  check(sum == sum_below(rounds), "pingpong: the sum is wrong");
  return each;
}

template <class Channel>
double fanin(const setting& how, unsigned senders) {
  const std::uint64_t each = how.times(1'000'000) / senders + 1;
  asio::io_context io(static_cast<int>(how.workers));
  Channel between(io, room);
  std::int64_t sum = 0;
  asio::co_spawn(io, sum_numbers(between, each * senders, sum), asio::detached);
  for (unsigned i = 0; i < senders; ++i) asio::co_spawn(io, send_numbers(between, each), asio::detached);
  const stopwatch watch;
  run(io, how.workers);
  const double rate = watch.millions_per_second(each * senders);
  check(sum == senders * sum_below(each), "fanin: the sum is wrong");
  return rate;
}
template <class Channel>
double stream(const setting& how) {
  return fanin<Channel>(how, 1);
}
template <class Channel>
double fanin_100(const setting& how) {
  return fanin<Channel>(how, 100);
}

template <class Channel>
double ring(const setting& how) {
  constexpr unsigned members = 100;
  const std::uint64_t rounds = how.times(1'000'000) / members;
  asio::io_context io(static_cast<int>(how.workers));
  std::vector<std::unique_ptr<Channel>> between;
  for (unsigned i = 0; i < members; ++i) between.push_back(std::make_unique<Channel>(io, 16));
  std::int64_t sum = 0;
  for (unsigned i = 1; i < members; ++i)
    asio::co_spawn(io, pass_on(*between[i - 1], *between[i], rounds, 1), asio::detached);
  asio::co_spawn(io, play(*between[members - 1], *between[0], rounds, sum), asio::detached);
  const stopwatch watch;
  run(io, how.workers);
  const double each = watch.ns_each(rounds * members);
  check(sum == sum_below(rounds) + static_cast<std::int64_t>(rounds * (members - 1)),
        "ring: hops are missing");
  return each;
}

asio::awaitable<void> wait_for_ever(local_channel& in, std::uint64_t& begun) {
  ++begun;
  (void)co_await in.async_receive(use_awaitable);
}
double idle(const setting& how, bool memory) {
  const std::uint64_t count = how.times(1'000'000);
  asio::io_context io(1);
  std::vector<std::unique_ptr<local_channel>> mailboxes;
  std::uint64_t begun = 0;
  const double before = resident_bytes();
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) {
    mailboxes.push_back(std::make_unique<local_channel>(io, room));
    asio::co_spawn(io, wait_for_ever(*mailboxes.back(), begun), asio::detached);
  }
  io.poll();
  const double each = watch.ns_each(count);
  check(begun == count, "spawn: not all have begun");
  return memory ? (resident_bytes() - before) / static_cast<double>(count) : each;
}
double spawn(const setting& how) { return idle(how, false); }
double idle_bytes(const setting& how) { return idle(how, true); }

asio::awaitable<void> ask(local_channel& in, local_channel& out, std::uint64_t count, std::int64_t& sum) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer deadline(co_await asio::this_coro::executor);
  for (std::uint64_t i = 0; i < count; ++i) {
    co_await out.async_send(error_code(), static_cast<std::int64_t>(i), use_awaitable);
    deadline.expires_after(std::chrono::seconds(1));
    const auto answer = co_await (in.async_receive(use_awaitable) || deadline.async_wait(use_awaitable));
    if (const auto* const n = std::get_if<std::int64_t>(&answer)) sum += *n;
  }
}
double asks(const setting& how) {
  const std::uint64_t count = how.times(100'000);
  asio::io_context io(1);
  local_channel there(io, room);
  local_channel back(io, room);
  std::int64_t sum = 0;
  asio::co_spawn(io, pass_on(there, back, count, 0), asio::detached);
  asio::co_spawn(io, ask(back, there, count, sum), asio::detached);
  const stopwatch watch;
  run(io, 1);
  const double each = watch.ns_each(count);
  check(sum == sum_below(count), "ask: the sum is wrong");
  return each;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  const std::vector<bench_case> cases = {
      {"pingpong", 1, placement::free, "ns", pingpong<local_channel>},
      {"pingpong", 2, placement::free, "ns", pingpong<shared_channel>},
      {"stream", 1, placement::free, "M/s", stream<local_channel>},
      {"stream", 2, placement::free, "M/s", stream<shared_channel>},
      {"fanin", 1, placement::free, "M/s", fanin_100<local_channel>},
      {"fanin", 2, placement::free, "M/s", fanin_100<shared_channel>},
      {"ring", 1, placement::free, "ns", ring<local_channel>},
      {"ring", 2, placement::free, "ns", ring<shared_channel>},
      {"spawn", 1, placement::free, "ns", spawn},
      {"idle_bytes", 1, placement::free, "B", idle_bytes},
      {"ask", 1, placement::free, "ns", asks},
  };
  return run_peer("asio", cases, argc, argv);
}
