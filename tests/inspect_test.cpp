// Seeing what a node does: the tree of its actors, what each waits for and where, mailboxes, workers that are held.
#include "watchdog_kit.hpp"

#include <algorithm>
#include <stdexcept>

#include <troupe/class_actor.hpp>
#include <troupe/inspect.hpp>
#include <troupe/when.hpp>

using namespace test;

namespace {

struct job {
  using reply = int;
};
struct note {
  int number;
};
using work = troupe::protocol<job, note>;

const troupe::actor_info* find(const troupe::node_info& node, const std::string& path) {
  const auto at = std::ranges::find(node.actors, path, &troupe::actor_info::path);
  return at != node.actors.end() ? &*at : nullptr;
}

/// Looks until the actor does what was expected: "serve at inspect_test.cpp:" and the like.
bool comes_to(host& h, const std::string& path, const std::string& doing, const std::string& also = "") {
  const auto until = std::chrono::steady_clock::now() + patience;
  std::string last;
  while (std::chrono::steady_clock::now() < until) {
    const troupe::node_info node = h->inspect();
    const troupe::actor_info* const who = find(node, path);
    last = who != nullptr ? who->doing : "nobody of that name";
    const auto file = last.find("inspect_test.cpp:");
    if (last.rfind(doing, 0) == 0 && (doing == last || file != last.npos) && last.find(also) != last.npos)
      return true;
  }
  UNSCOPED_INFO(path + ": " + last);
  return false;
}

/// Looks until `holds` of that actor.
template <class F>
bool comes_true(host& h, const std::string& path, troupe::inspect_options how, F holds) {
  const auto until = std::chrono::steady_clock::now() + patience;
  std::string last;
  while (std::chrono::steady_clock::now() < until) {
    const troupe::node_info node = h->inspect(how);
    last = node.text();
    const troupe::actor_info* const who = find(node, path);
    if (who != nullptr && holds(*who, last)) return true;
  }
  UNSCOPED_INFO(last);
  return false;
}

actor run_counted(self<note> me, int most) {
  for (int n = 0; n < most; ++n) co_await me.receive([](note) {});
  throw std::runtime_error("counted");
}

class tally {
 public:
  using accepts = note;
  void on(const note&) {}
};

const troupe::kind_info& kind_of(const troupe::node_info& node, const std::string& name) {
  const auto at = std::ranges::find(node.kinds, name, &troupe::kind_info::kind);
  INFO(node.text());
  REQUIRE(at != node.kinds.end());
  return *at;
}

std::uint64_t ended(const troupe::kind_info& k, troupe::exit_kind how) {
  return k.ended[static_cast<std::size_t>(how)];
}

}  // namespace

TEST_CASE("inspect: the tree, what every actor waits for and in which line, mailboxes and waiting senders") {
  troupe::node_options options;
  options.name = "front";
  host h(2, options);
  const auto full = h->spawn(named("full", 0, 2), [](self<work> me) -> actor { co_await me.sleep(1h); });
  for (int i = 0; i < 2; ++i) REQUIRE(full.try_send<note>(i).has_value());
  const auto pool = h->spawn(
      named("pool", 1),
      [](self<work> me, ref<work> to) -> actor {
        me.spawn(
            named("asker", 0),
            [](self<note> self, ref<work> who) -> actor {
              (void)self;
              (void)co_await who.ask<job>().within(1h);
            },
            to);
        me.spawn(
            named("sender", 0),
            [](self<note> self, ref<work> who) -> actor {
              (void)self;
              co_await who.send<note>(9);
            },
            to);
        me.spawn(named("chooser", 1), [](self<note> self) -> actor {
          co_await troupe::select(self.receive<note>(), self.sleep(1h));
        });
        me.spawn([](self<note> self) -> actor { co_await self.receive([](note) {}).within(1h); });
        co_await me.serve(
            [&](job) -> troupe::task<int> {
              co_await me.sleep(1h);
              co_return 1;
            },
            [](note) {});
      },
      full);

  CHECK(comes_to(h, "/front/full", "sleep at "));
  CHECK(comes_to(h, "/front/pool", "serve at "));
  CHECK(comes_to(h, "/front/pool/asker", "ask at "));
  CHECK(comes_to(h, "/front/pool/sender", "send at "));
  CHECK(comes_to(h, "/front/pool/chooser", "receive at ", "sleep at "));
  h->spawn(
      [](self<note> me, ref<work> who) -> actor {
        (void)me;
        (void)co_await who.ask<job>().within(1h);
      },
      pool);
  CHECK(comes_to(h, "/front/pool", "serve at ", "sleep at "));  // its handler

  const troupe::node_info node = h->inspect();
  CHECK(node.name == "front");
  CHECK(node.busy_workers.empty());
  CHECK(node.books.pending == 2);
  const auto* const seen = find(node, "/front/full");
  REQUIRE(seen != nullptr);
  CHECK(seen->mailbox == 2);
  CHECK(seen->limit == 2);
  CHECK(seen->waiting == 2);
  CHECK(seen->worker == 0);
  const auto unnamed =
      std::ranges::find_if(node.actors, [](const auto& a) { return a.path.rfind("/front/pool/#", 0) == 0; });
  REQUIRE(unnamed != node.actors.end());
  CHECK(unnamed->doing.rfind("receive at ", 0) == 0);

  const std::string text = node.text();
  INFO(text);
  CHECK(text.find("/front/full (worker 0) sleep at ") != text.npos);
  CHECK(text.find("mailbox 2 of 2, 2 senders wait") != text.npos);
  CHECK(text.find("balanced") != text.npos);
  CHECK_FALSE(h->stop(500ms));
  CHECK(h->inspect().actors.empty());
  h.finish(false);
}

TEST_CASE("inspect: a worker that an actor holds is named, and the others are shown") {
  host h(2);
  const auto held = std::make_shared<gate>();
  const auto log = new_book();
  h->spawn(
      named("holds", 1),
      [](self<note> me, shared_gate g, book said) -> actor {
        (void)me;
        said->add("holding");
        must(g->wait());
        co_return;
      },
      held, log);
  h->spawn(named("free", 0), [](self<note> me) -> actor { co_await me.serve([](note) {}); });
  REQUIRE(log->wait_for(1).size() == 1);
  const troupe::node_info node = h->inspect({.patience = 50ms});
  held->open();
  CHECK(node.busy_workers == std::vector<unsigned>{1});
  const bool shown =
      std::ranges::any_of(node.actors, [](const auto& a) { return a.path.ends_with("/free"); });
  CHECK(shown);
  CHECK(node.text().find("worker 1 does not answer") != std::string::npos);
  h.finish();
}

TEST_CASE("inspect: the age of the first message, rates, and the time until a mailbox is empty") {
  troupe::node_options options = named_node("n");
  options.watchdog = {.wait = {}, .held = {}};
  host h(2, options);
  const auto grows =
      h->spawn(named("grows", 0, 1u << 20), [](self<note> me) -> actor { co_await me.sleep(1h); });
  h->spawn(
      named("feeds", 0),
      [](self<note> me, ref<note> to) -> actor {
        me.every<note>(2ms, to, 1);
        co_await me.serve([](note) {});
      },
      grows);
  const auto shrinks = h->spawn(named("shrinks", 1, 1u << 20), [](self<note> me) -> actor {
    co_await me.serve([&](note) -> troupe::task<void> { co_await me.sleep(5ms); });
  });
  for (int i = 0; i < 10'000; ++i) REQUIRE(shrinks.try_send<note>(i).has_value());
  h->spawn(named("idle", 1), [](self<note> me) -> actor { co_await me.serve([](note) {}); });
  const troupe::inspect_options twice{.over = 100ms};

  CHECK(comes_true(h, "/n/grows", twice, [](const troupe::actor_info& a, const std::string& text) {
    return a.oldest >= 100ms && a.rates && a.rates->in > 0 && a.rates->out == 0 && !a.rates->drains_in &&
           text.find("never drains") != text.npos;
  }));
  CHECK(comes_true(h, "/n/shrinks", twice, [](const troupe::actor_info& a, const std::string& text) {
    return a.rates && a.rates->in == 0 && a.rates->out > 0 && a.rates->drains_in &&
           *a.rates->drains_in > 1s && text.find("/s out, drains in ") != text.npos;
  }));
  CHECK(comes_true(h, "/n/idle", twice, [](const troupe::actor_info& a, const std::string&) {
    return a.oldest == 0ms && a.rates && a.rates->out == 0 && a.rates->drains_in == 0ms;
  }));
  CHECK(
      comes_true(h, "/n/idle", {}, [](const troupe::actor_info& a, const std::string&) { return !a.rates; }));
  h->kill(grows);
  h->kill(shrinks);
  h->stop();
  CHECK(h->inspect(twice).actors.empty());
  CHECK(h->accounting().balanced());
}

TEST_CASE("inspect: counters for each function, class and lambda that makes actors") {
  troupe::node_options options = named_node("n");
  options.supervision.most_restarts = 2;
  options.supervision.backoff = {1ms, 1ms};
  host h(2, options);
  const auto fails = h->spawn(on_worker(0), troupe::restart_on_failure(run_counted), 3);
  const auto killed = h->spawn(on_worker(1), run_counted, 100);
  for (int i = 0; i < 9; ++i) REQUIRE(fails.blocking_send<note>(patience, i).has_value());
  for (int i = 0; i < 5; ++i) REQUIRE(killed.try_send<note>(i).has_value());
  const auto counts = h->spawn<tally>(on_worker(0));
  const auto counts_too = h->spawn<tally>(on_worker(1));
  REQUIRE(counts.try_send<note>(1).has_value());
  h->stop(counts_too);
  h->spawn(named("lambda", 0), [](self<note> me) -> actor { co_await me.serve([](note) {}); });

  CHECK(comes_true(h, "/n/lambda", {}, [](const troupe::actor_info& a, const std::string& text) {
    return a.kind.rfind("lambda at ", 0) == 0 && a.kind.find("inspect_test.cpp:") != a.kind.npos &&
           text.find("kind run_counted: 1 live, 2 spawned, 14 messages, 2 restarts, 1 failed") != text.npos &&
           text.find("kind tally: 1 live, 2 spawned, 1 messages, 1 stopped") != text.npos;
  }));
  h->kill(killed);
  h->stop();
  const troupe::node_info node = h->inspect();
  const troupe::kind_info& counted = kind_of(node, "run_counted");
  CHECK(counted.live() == 0);
  CHECK(counted.spawned == 2);
  CHECK(counted.restarts == 2);
  CHECK(counted.messages == 14);
  CHECK(ended(counted, troupe::exit_kind::failed) == 1);
  CHECK(ended(counted, troupe::exit_kind::killed) == 1);
  CHECK(ended(kind_of(node, "tally"), troupe::exit_kind::stopped) == 2);
  h.finish();
}
