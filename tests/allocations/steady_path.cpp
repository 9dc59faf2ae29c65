// Once they have begun, actors that send, receive, ask and time out take no memory from the system: what they need goes round
// in the worker's pools.
#include "actor_support.hpp"

#include <cstdlib>
#include <new>

static std::atomic<std::uint64_t> allocations{0};

static void* counted(std::size_t bytes, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = alignment <= alignof(std::max_align_t)
                           ? std::malloc(bytes)
                           : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t bytes) { return counted(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

using namespace test;

namespace {

constexpr int warm_up = 20'000;  // so much fills the pools and the mailboxes
constexpr int rounds = 20'000;

struct number {
  std::int64_t value;
};
struct twice {
  using reply = std::int64_t;
  std::int64_t value;
};
struct never {
  using reply = int;
};
using numbers = troupe::protocol<number, twice, never>;

/// Answers all but one kind of request.
actor run_other(self<numbers> me, ref<number> back) {
  std::vector<troupe::replier<int>> held;
  held.reserve(1);
  co_await me.serve([&](number n) { (void)back.try_send<number>(n.value); },
                    [](twice t) { return 2 * t.value; },
                    [&](never, troupe::replier<int> reply) {
                      held.clear();
                      held.push_back(std::move(reply));
                    });
}

template <auto what>
actor run_path(self<number> me, book log) {
  const auto other = me.spawn(run_other, me.me());
  co_await what(me, other, warm_up);
  const std::uint64_t before = allocations.load();
  co_await what(me, other, rounds);
  const std::uint64_t taken = allocations.load() - before;
  log->add(std::to_string(taken));
}

template <auto what>
std::string allocations_of() {
  host h(1);
  const auto log = new_book();
  h->spawn(run_path<what>, log);
  const lines said = log->wait_for(1);
  h.finish();
  must(allocations.load() > 0);  // a node takes some to begin with
  return said.empty() ? "nothing" : said[0];
}

troupe::task<void> to_and_fro(const self<number>& me, ref<numbers> other, int times) {
  for (int i = 0; i < times; ++i) {
    co_await other.send<number>(i);
    (void)co_await me.receive([](number) {});
  }
}
troupe::task<void> for_room(const self<number>& me, ref<numbers> other, int times) {
  for (int i = 0; i < times; ++i) co_await other.send<number>(i);
  for (bool more = true; more;) more = (co_await me.receive([](number) {}).within(1ms)).has_value();
}
troupe::task<void> asking(const self<number>&, ref<numbers> other, int times) {
  for (int i = 0; i < times; ++i) {
    const auto answer = co_await other.ask<twice>(i).within(1s);
    must(answer.has_value());
  }
}
troupe::task<void> in_vain(const self<number>& me, ref<numbers> other, int times) {
  for (int i = 0; i < times / 200; ++i) {
    const auto answer = co_await other.ask<never>().within(100us);
    must(!answer.has_value());
    co_await me.sleep(1us);
    const auto nothing = co_await me.receive([](number) {}).within(1us);
    must(!nothing.has_value());
  }
}

}  // namespace

TEST_CASE("allocations: none to send and to receive", "[allocations]") {
  CHECK(allocations_of<to_and_fro>() == "0");
}
TEST_CASE("allocations: none to wait for room", "[allocations]") { CHECK(allocations_of<for_room>() == "0"); }
TEST_CASE("allocations: none to ask with a deadline", "[allocations]") {
  CHECK(allocations_of<asking>() == "0");
}
TEST_CASE("allocations: none when a deadline passes", "[allocations]") {
  CHECK(allocations_of<in_vain>() == "0");
}
