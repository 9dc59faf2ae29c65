// Row 22, through a whole link: the worker of a node in a child process is killed after so many instructions of what it does between
// an actor's send and the peer's receive, or between the peer's send and an actor's receive. There are too many to kill it after
// each one; TROUPE_STEPS says after how many of them, 40 otherwise, chosen by chance. (step_kill_ring_test.cpp does the ring's own.)
#include "remote_support.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <random>

#include <troupe/down.hpp>

#include "stepper.hpp"

namespace step_kill {

struct item {
  std::uint64_t number;
  std::string text;

  static item of(std::uint64_t number) {
    return {number, std::string(10 + 50 * number, static_cast<char>('a' + number))};
  }
  bool whole() const { return text == of(number).text; }
};
struct go {
  troupe::ref<item> to;
};
using stepped = troupe::protocol<go, item>;
constexpr std::uint64_t items = 3;

/// What both processes see: memory that is as it was when the child is killed.
struct common {
  std::atomic<std::uint64_t> sent{0};      // by the child
  std::atomic<std::uint64_t> received{0};  // by the child, or by the test from it
  std::atomic<std::uint64_t> wrong{0};     // torn, twice or out of order
  void take(const item& i) {
    if (i.number != received.load() + 1 || !i.whole()) wrong.fetch_add(1);
    received.store(i.number);
  }
};

using shared_common = std::shared_ptr<common>;

inline shared_common make_common() {
  void* const at = ::mmap(nullptr, sizeof(common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return {new (at) common, [](common* c) { ::munmap(c, sizeof(common)); }};
}

/// Offers its worker to the tracer, and then sends, if it is given to whom, or receives. It yields while it waits, so that the worker
/// never sleeps: a step would not return.
inline troupe::actor run_stepped(troupe::self<stepped> me, shared_common all,
                                 std::function<void(std::string)> say) {
  co_await me.serve(
      troupe::interleave(8),
      [&](go g) -> troupe::task<> {
        if (!stepping::be_traced()) ::_exit(1);
        say(std::to_string(::syscall(SYS_gettid)));
        stepping::stop_here();
        for (std::uint64_t n = 1; g.to && n <= items; ++n) {
          const item one = item::of(n);
          (void)co_await g.to.send<item>(one.number, one.text);
          all->sent.store(n);
        }
        while (all->received.load() != items) co_await me.yield();
        stepping::stop_here();
      },
      [&](const item& i) { all->take(i); });
}

/// Takes what the child sends until it is down.
inline troupe::actor run_taker(troupe::self<troupe::protocol<item, troupe::down>> me, troupe::ref<> child,
                               shared_common all, test::book log) {
  me.monitor(child);
  log->add("watching");
  co_await me.serve(
      [&](const item& i) {
        all->take(i);
        if (log->all().size() != 1) all->wrong.fetch_add(1);  // after its sender's DOWN
      },
      [&](const troupe::down& d) { log->add(std::string(troupe::to_string(d.reason.kind))); });
}

}  // namespace step_kill

using namespace test;
using namespace step_kill;

namespace {

/// How many instructions it had taken; `most`: kill it after so many.
std::uint64_t run_and_kill(bool child_sends, std::uint64_t most) {
  const shared_common all = make_common();
  child_process child([&](auto say) {
    auto back =
        troupe::node::start({.name = "back", .listen = {"tcp://127.0.0.1:0"}, .workers = 1, .lease = 1min});
    if (!back) ::_exit(1);
    const auto who = back->spawn(run_stepped, all, std::function<void(std::string)>(say));
    play(*back, [&](self<troupe::protocol<>>& me) -> troupe::task<void> {
      (void)co_await me.node().publish("stepped", who);
    });
    say(back->endpoints()[0]);
    stay();
  });
  const std::string url = child.line();
  troupe::node front = start({.name = "front", .workers = 1, .lease = 1min});  // stepping takes its time
  join(front, url);
  ref<stepped> far;
  play(front, [&](self<troupe::protocol<>>& me) -> troupe::task<void> {
    far = (co_await me.node().lookup<stepped>("stepped").within(patience)).value();
  });
  const auto log = new_book();
  const auto taker = front.spawn(run_taker, far, all, log);
  REQUIRE(log->wait_for(1).size() == 1);
  REQUIRE(link_to(front, "back").lane == "shm");

  CHECK(far.blocking_send<go>(patience, child_sends ? ref<item>(taker) : ref<item>()).has_value());
  stepping::stepper worker(child.pid(), std::stoi(child.line()));
  for (std::uint64_t n = 1; !child_sends && n <= items; ++n) {
    const item one = item::of(n);
    CHECK(far.blocking_send<item>(patience, one.number, one.text).has_value());
  }
  bool over = false;
  while (!over && worker.taken() < most) {
    over = !worker.step(std::min<std::uint64_t>(1000, most - worker.taken()));
    REQUIRE(log->all().size() == 1);  // still linked
  }
  const std::uint64_t sent = all->sent.load();
  worker.kill();
  child.reaped();

  INFO((child_sends ? "sends" : "receives") << ", killed after " << worker.taken() << " instructions");
  CHECK(log->wait_for(2) == lines{"watching", "died"});
  CHECK(all->wrong.load() == 0);
  CHECK(all->received.load() <= items);
  if (over) CHECK(all->received.load() == items);
  if (over && child_sends) CHECK(sent == items);
  CHECK(eventually([&] { return link_to(front, "back").lane == "none"; }));
  front.stop(taker);
  CHECK(eventually([&] { return front.live_actors() == 1; }));
  settled(front);
  check_stops(front);
  return worker.taken();
}

void kill_by_chance(bool child_sends) {
  if (!stepping::possible()) {
    SUCCEED();
    return;
  }
  const char* const text = std::getenv("TROUPE_STEPS");
  const std::uint64_t kills = text != nullptr ? std::strtoull(text, nullptr, 10) : 40 / slowdown;
  const std::uint64_t whole = run_and_kill(child_sends, ~std::uint64_t{0});
  REQUIRE(whole > 500);
  std::mt19937_64 chance(whole);
  for (std::uint64_t i = 0; i < kills; ++i) {
    // Evenly over all of it, so that equal runs would miss nothing that is longer than a part.
    const std::uint64_t from = whole * i / kills;
    (void)run_and_kill(child_sends, from + chance() % (whole / kills + 1));
  }
  std::printf("%s: %llu instructions, killed after %llu of them\n", child_sends ? "send" : "receive",
              static_cast<unsigned long long>(whole), static_cast<unsigned long long>(kills));
}

}  // namespace

TEST_CASE("row 22: a node that is killed at any instruction while an actor of it sends") {
  kill_by_chance(true);
}
TEST_CASE("row 22: a node that is killed at any instruction while an actor of it receives") {
  kill_by_chance(false);
}
