// Supervision: restarts in place, the strategies, the budget and what climbs over it, and ends between two lives.
#include "actor_support.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>

#include <troupe/log.hpp>

using namespace test;
using troupe::restart_always;
using troupe::restart_on_failure;
using troupe::strategy;
using troupe::supervision;

namespace {

struct job {
  int number;
};
struct crash {
  std::string why;
};
struct leave {};
struct life {
  using reply = int;
};
using working = troupe::protocol<job, crash, leave, life, troupe::down>;
using worker_ref = ref<working>;

/// Writes down its end when its frame is destroyed.
struct last_words {
  book out;
  std::string who;
  tracked alive = {};
  ~last_words() { out->add(who + " ended"); }
};

actor run_worker(self<working> me, std::string name, book log) {
  const last_words words{log, name};
  log->add(name + " started");
  bool stays = true;
  while (stays && !me.stopping()) {
    (void)co_await me.receive([&](job j) { log->add(name + " " + std::to_string(j.number)); },
                              [](const crash& c) { throw std::runtime_error(c.why); },
                              [&](leave) { stays = false; }, [](life) { return 1; },
                              [&](const troupe::down&) { log->add(name + " heard DOWN"); });
  }
}

/// Workers that one actor has spawned, and that actor.
struct team {
  ref<> boss;
  std::vector<worker_ref> members;
};
using shared_team = std::shared_ptr<team>;

/// Names that begin with '-' do not restart, those with '+' always.
actor run_boss(self<job> me, supervision policy, lines names, shared_team out, book log) {
  me.supervise(policy);
  out->boss = me.me();
  unsigned at = 0;
  for (const std::string& name : names) {
    troupe::spawn_options options = on_worker(at++);
    options.name = name;
    if (name[0] == '-') {
      out->members.push_back(me.spawn(options, run_worker, name, log));
    } else if (name[0] == '+') {
      out->members.push_back(me.spawn(options, restart_always(run_worker), name, log));
    } else {
      out->members.push_back(me.spawn(options, restart_on_failure(run_worker), name, log));
    }
  }
  log->add("boss ready");
  co_await me.serve([](job) {});
}

/// Drops what is there already: the lines after `before`, once there are `more` of them.
lines after(const book& log, std::size_t before, std::size_t more) {
  const lines all = log->wait_for(before + more);
  return lines(all.begin() + static_cast<std::ptrdiff_t>(std::min(before, all.size())), all.end());
}

shared_team start_team(host& h, const supervision& policy, const lines& names, const book& log) {
  auto t = std::make_shared<team>();
  h->spawn(on_worker(0), run_boss, policy, names, t, log);
  REQUIRE(log->wait_for(names.size() + 1).size() == names.size() + 1);
  return t;
}

actor run_watcher(self<troupe::down> me, ref<> whom, book log, shared_gate watching) {
  me.monitor(whom);
  watching->open();
  (void)co_await me.receive([&](const troupe::down& d) {
    log->add("DOWN " + std::string(to_string(d.reason.kind)) +
             (d.reason.text.empty() ? "" : ": " + d.reason.text));
  });
}
/// A log that gets the one line about how `whom` ends.
book watch(host& h, const ref<>& whom) {
  const auto log = new_book();
  const auto watching = std::make_shared<gate>();
  h->spawn(run_watcher, whom, log, watching);
  REQUIRE(watching->wait());
  return log;
}

supervision at_once(strategy how = strategy::one_for_one, std::uint32_t most = 3) {
  return {how, most, 1h, {0ms, 0ms}};
}
supervision much_later() { return {strategy::one_for_one, 3, 5s, {1h, 1h}}; }

}  // namespace

TEST_CASE("a failed child restarts in its place, and its siblings go on") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto t = start_team(h, at_once(), {"a", "b", "c"}, log);
    REQUIRE(t->members[1].try_send<crash>("boom").has_value());
    CHECK(after(log, 4, 2) == lines{"b ended", "b started"});
    for (int i = 0; i < 3; ++i) {
      REQUIRE(t->members[static_cast<std::size_t>(i)].try_send<job>(i).has_value());
      (void)log->wait_for(7 + static_cast<std::size_t>(i));
    }
    CHECK(after(log, 6, 3) == lines{"a 0", "b 1", "c 2"});
    h.finish();
    CHECK(h->overdue().empty());
  }
}

TEST_CASE(
    "row 32: an actor that throws starts again, and without a restart or over its budget it is DOWN with the "
    "text") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto t = start_team(h, at_once(strategy::one_for_one, 1), {"a", "-b"}, log);
    const auto fate_of_a = watch(h, t->members[0]);
    const auto fate_of_b = watch(h, t->members[1]);
    const auto fate_of_boss = watch(h, t->boss);
    REQUIRE(t->members[1].try_send<crash>("no restart").has_value());
    CHECK(fate_of_b->wait_for(1) == lines{"DOWN failed: no restart"});
    REQUIRE(t->members[0].try_send<crash>("once").has_value());
    REQUIRE(t->members[0].blocking_ask<life>(patience).has_value());
    CHECK(fate_of_a->all().empty());
    REQUIRE(t->members[0].try_send<crash>("twice").has_value());
    CHECK(fate_of_a->wait_for(1).front().ends_with("): twice"));
    CHECK(fate_of_boss->wait_for(1).front().starts_with("DOWN failed: "));
    h.finish();
  }
}

TEST_CASE("one for all: siblings end youngest first and start oldest first, those without a restart end") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto t = start_team(h, at_once(strategy::one_for_all), {"a", "b", "-c", "d"}, log);
    const auto of_c = watch(h, t->members[2]);
    for (int round = 0; round < 3; ++round) {
      const std::size_t before = log->all().size();
      REQUIRE(t->members[1].try_send<crash>("boom").has_value());
      const lines ends = round == 0 ? lines{"b ended", "d ended", "-c ended", "a ended"}
                                    : lines{"b ended", "d ended", "a ended"};
      lines expected = ends;
      for (const char* const name : {"a started", "b started", "d started"}) expected.push_back(name);
      CHECK(after(log, before, expected.size()) == expected);
    }
    CHECK(of_c->wait_for(1) == lines{"DOWN stopped"});
    h.finish();
  }
}

TEST_CASE("rest for one: the younger siblings restart with it") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto t = start_team(h, at_once(strategy::rest_for_one), {"a", "b", "c", "d"}, log);
    REQUIRE(t->members[1].try_send<crash>("boom").has_value());
    CHECK(after(log, 5, 6) == lines{"b ended", "d ended", "c ended", "b started", "c started", "d started"});
    REQUIRE(t->members[3].try_send<crash>("boom").has_value());
    CHECK(after(log, 11, 2) == lines{"d ended", "d started"});
    h.finish();
  }
}

TEST_CASE("a child of the node restarts by the node's policy, which leaves those without a restart alone") {
  troupe::node_options options;
  options.supervision = at_once(strategy::one_for_all);
  host h(2, options);
  const auto log = new_book();
  const auto a = h->spawn(on_worker(0), restart_on_failure(run_worker), "a", log);
  const auto b = h->spawn(on_worker(1), run_worker, "b", log);
  const auto c = h->spawn(on_worker(1), restart_on_failure(run_worker), "c", log);
  REQUIRE(log->wait_for(3).size() == 3);
  REQUIRE(a.try_send<crash>("boom").has_value());
  CHECK(after(log, 3, 4) == lines{"a ended", "c ended", "a started", "c started"});
  CHECK(*b.blocking_ask<life>(patience) == 1);
  CHECK(*c.blocking_ask<life>(patience) == 1);
  h.finish();
}

TEST_CASE("what returns restarts only if it always restarts") {
  host h(1);
  const auto log = new_book();
  const auto t = start_team(h, at_once(), {"a", "+b"}, log);
  const auto of_a = watch(h, t->members[0]);
  REQUIRE(t->members[1].try_send<leave>().has_value());
  CHECK(after(log, 3, 2) == lines{"+b ended", "+b started"});
  REQUIRE(t->members[0].try_send<leave>().has_value());
  CHECK(of_a->wait_for(1) == lines{"DOWN normal"});
  h.finish();
}

namespace {

/// A counter of what one actor has done in all its lives.
struct tally {
  std::vector<int> taken;
  std::atomic<int> lives{0};
  gate all;
};

actor run_fragile(self<working> me, std::shared_ptr<tally> t, int last) {
  const tracked alive;
  t->lives.fetch_add(1);
  co_await me.serve(
      [&](job j) {
        t->taken.push_back(j.number);
        if (j.number == last) t->all.open();
      },
      [](const crash& c) { throw std::runtime_error(c.why); }, [](leave) {},
      [&](life) { return t->lives.load(); }, [](const troupe::down&) {});
}

actor run_feeder(self<job> me, worker_ref to, int crashes, int jobs_each) {
  (void)me;
  int number = 0;
  for (int i = 0; i < crashes; ++i) {
    for (int j = 0; j < jobs_each; ++j) (void)co_await to.send<job>(number++);
    (void)co_await to.send<crash>("again");
  }
  (void)co_await to.send<job>(number);
}

}  // namespace

TEST_CASE("a child that crashes a thousand times recovers each time, and its mailbox loses nothing") {
  constexpr int crashes = 1000;
  constexpr int jobs_each = 7;
  for (const unsigned workers : {1u, 2u}) {
    for (const std::uint32_t mailbox : {4u, 1024u}) {
      host h(workers);
      const auto t = std::make_shared<tally>();
      const auto fragile = std::make_shared<worker_ref>();
      const auto born = std::make_shared<gate>();
      h->spawn(
          [](self<job> me, std::shared_ptr<tally> out, std::shared_ptr<worker_ref> child, shared_gate done,
             std::uint32_t limit) -> actor {
            me.supervise(at_once(strategy::one_for_one, crashes));
            *child = me.spawn(on_worker(1, limit), restart_on_failure(run_fragile), out, crashes * jobs_each);
            done->open();
            co_await me.serve([](job) {});
          },
          t, fragile, born, mailbox);
      REQUIRE(born->wait());
      h->spawn(on_worker(0), run_feeder, *fragile, crashes, jobs_each);
      REQUIRE(t->all.wait());
      std::vector<int> expected(crashes * jobs_each + 1);
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<int>(i);
      CHECK(*fragile->blocking_ask<life>(patience) == crashes + 1);
      h.finish();
      CHECK(t->taken == expected);
      const auto books = h->accounting();
      CHECK(books.taken == books.accepted_local);
    }
  }
}

TEST_CASE("over its budget a child ends with what befell it, and its parent fails") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto t = start_team(h, at_once(), {"a", "worker"}, log);
    const auto of_worker = watch(h, t->members[1]);
    const auto of_boss = watch(h, t->boss);
    const auto of_a = watch(h, t->members[0]);
    for (int i = 0; i < 4; ++i)
      REQUIRE(t->members[1].try_send<crash>("boom " + std::to_string(i)).has_value());
    CHECK(of_worker->wait_for(1) == lines{"DOWN failed: no restart left (3 within 3600 s): boom 3"});
    CHECK(of_boss->wait_for(1) ==
          lines{"DOWN failed: child 'worker': no restart left (3 within 3600 s): boom 3"});
    CHECK(of_a->wait_for(1) == lines{"DOWN stopped"});
    h.finish();
  }
}

TEST_CASE("a parent that fails over its child's budget is itself restarted by its own parent") {
  host h(2);
  const auto log = new_book();
  const auto t = std::make_shared<team>();
  const auto top = h->spawn(
      [](self<job> me, shared_team out, book l) -> actor {
        me.supervise(at_once());
        me.spawn(restart_on_failure(run_boss), at_once(strategy::one_for_one, 0), lines{"a"}, out, l);
        co_await me.serve([](job) {});
      },
      t, log);
  REQUIRE(log->wait_for(2).size() == 2);
  const auto boss = t->boss;
  const auto of_boss = watch(h, boss);
  for (std::size_t round = 0; round < 3; ++round) {
    REQUIRE(t->members[round].try_send<crash>("boom").has_value());
    CHECK(after(log, 2 + 3 * round, 3).size() == 3);
    CHECK(t->boss == boss);
  }
  h->stop(top);
  CHECK(of_boss->wait_for(1) == lines{"DOWN stopped"});
  h.finish();
}

TEST_CASE("of the node's children only the child ends over the budget, and the log says so") {
  const auto logged = new_book();
  troupe::set_log_sink([logged](troupe::log_level level, std::string_view line) {
    if (level == troupe::log_level::error) logged->add(std::string(line));
  });
  troupe::node_options options;
  options.name = "front";
  options.supervision = {strategy::one_for_one, 1, 250ms, {0ms, 0ms}};
  options.supervision.within = 1h;
  host h(1, options);
  const auto log = new_book();
  troupe::spawn_options named;
  named.name = "worker";
  const auto a = h->spawn(named, restart_on_failure(run_worker), "a", log);
  const auto b = h->spawn(run_worker, "b", log);
  const auto of_a = watch(h, a);
  REQUIRE(a.try_send<crash>("boom").has_value());
  REQUIRE(a.try_send<crash>("bang").has_value());
  const std::string text = "no restart left (1 within 3600 s): bang";
  CHECK(of_a->wait_for(1) == lines{"DOWN failed: " + text});
  CHECK(*b.blocking_ask<life>(patience) == 1);
  h.finish();
  troupe::set_log_sink({});
  CHECK(logged->all() == lines{"front: actor 'worker' is given up: " + text});
}

TEST_CASE("each restart waits longer, up to a limit") {
  host h(2);
  const auto times = std::make_shared<std::vector<troupe::instant>>();
  const auto over = std::make_shared<gate>();
  h->spawn(
      [](self<job> me, std::shared_ptr<std::vector<troupe::instant>> out, shared_gate done) -> actor {
        me.supervise({strategy::one_for_one, 10, 1h, {2ms, 8ms}});
        me.spawn(on_worker(1),
                 restart_on_failure(
                     [](self<job>, std::shared_ptr<std::vector<troupe::instant>> t, shared_gate g) -> actor {
                       t->push_back(troupe::os_env().now());
                       if (t->size() <= 5) throw std::runtime_error("not yet");
                       g->open();
                       co_return;
                     }),
                 out, done);
        co_await me.serve([](job) {});
      },
      times, over);
  REQUIRE(over->wait());
  h.finish();
  REQUIRE(times->size() == 6);
  const troupe::duration least[] = {2ms, 4ms, 8ms, 8ms, 8ms};
  for (std::size_t i = 0; i < 5; ++i) CHECK((*times)[i + 1] - (*times)[i] >= least[i]);
}

TEST_CASE("between two lives messages queue, and a stop or a kill is the end") {
  for (const unsigned workers : {1u, 2u}) {
    for (const bool kill : {false, true}) {
      host h(workers);
      const auto log = new_book();
      const auto t = start_team(h, much_later(), {"a", "b"}, log);
      const worker_ref b = t->members[1];
      const auto of_b = watch(h, b);
      REQUIRE(b.try_send<crash>("boom").has_value());
      REQUIRE(after(log, 3, 1) == lines{"b ended"});
      for (int i = 0; i < 5; ++i) REQUIRE(b.try_send<job>(i).has_value());
      CHECK(b.blocking_ask<life>(1ms).error() == errc::expired);
      kill ? h->kill(b) : h->stop(b);
      CHECK(of_b->wait_for(1) == lines{kill ? "DOWN killed" : "DOWN stopped"});
      CHECK(b.try_send<job>(1).error() == errc::no_such_actor);
      CHECK(*t->members[0].blocking_ask<life>(patience) == 1);
      h.finish();
      const auto books = h->accounting();
      const errc why = kill ? errc::no_such_actor : errc::stopped;
      CHECK(books.undelivered[static_cast<std::size_t>(why)] == 5);
      CHECK(books.undelivered[static_cast<std::size_t>(errc::expired)] == 1);
    }
  }
}

TEST_CASE("a stop or kill of the parent, or of the node, ends a child that waits for its restart") {
  for (const unsigned workers : {1u, 2u}) {
    for (const std::string how : {"stop", "kill", "node"}) {
      host h(workers);
      const auto log = new_book();
      const auto t = start_team(h, much_later(), {"a", "b"}, log);
      const auto of_b = watch(h, t->members[1]);
      const auto of_boss = watch(h, t->boss);
      REQUIRE(t->members[1].try_send<crash>("boom").has_value());
      REQUIRE(after(log, 3, 1) == lines{"b ended"});
      if (how == "stop") h->stop(t->boss);
      if (how == "kill") h->kill(t->boss);
      if (how != "node") {
        const lines expected = {how == "kill" ? "DOWN killed" : "DOWN stopped"};
        CHECK(of_boss->wait_for(1) == expected);
        // The news of its failure may reach a parent that stops already.
        const lines fate = of_b->wait_for(1);
        CHECK((fate == expected || (how == "stop" && fate == lines{"DOWN failed: boom"})));
      }
      h.finish();
      CHECK(log->all().back() == "a ended");
    }
  }
}

TEST_CASE("a failure while its parent stops is the end") {
  host h(2);
  const auto log = new_book();
  const auto boss = h->spawn(
      [](self<job> me, book out) -> actor {
        me.supervise(at_once());
        const auto child = me.spawn(on_worker(1), restart_on_failure(run_worker), "a", out);
        me.node().spawn(run_watcher, child, out, std::make_shared<gate>());
        (void)co_await me.serve([](job) {});
        (void)co_await child.send<crash>("boom");
        const auto said = co_await child.ask<life>();
        out->add("ask: " + std::string(to_string(said.error().code)));
      },
      log);
  REQUIRE(log->wait_for(1) == lines{"a started"});
  h->stop(boss);
  const lines all = log->wait_for(4);
  h.finish();
  CHECK(log->all().size() == 4);
  CHECK(all[1] == "a ended");
  CHECK(std::count(all.begin(), all.end(), "ask: no such actor") == 1);
  CHECK(std::count(all.begin(), all.end(), "DOWN failed: boom") == 1);
}

TEST_CASE("the children of one that restarts end, youngest first, before it starts again") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto target =
        h->spawn(restart_on_failure([](self<working> me, book out) -> actor {
                   const last_words words{out, "parent"};
                   out->add("parent started");
                   const auto one = me.spawn(on_worker(1), restart_on_failure(run_worker), "one", out);
                   (void)co_await one.ask<life>();
                   const auto two = me.spawn(on_worker(0), run_worker, "two", out);
                   (void)co_await two.ask<life>();
                   co_await me.serve([](job) {}, [](const crash& c) { throw std::runtime_error(c.why); },
                                     [](leave) {}, [](life) { return 1; }, [](const troupe::down&) {});
                 }),
                 log);
    const lines born = {"parent started", "one started", "two started"};
    CHECK(log->wait_for(3) == born);
    REQUIRE(target.try_send<crash>("boom").has_value());
    CHECK(after(log, 3, 6) == lines{"parent ended", "two ended", "one ended", born[0], born[1], born[2]});
    CHECK(*target.blocking_ask<life>(patience) == 1);
    while (h->live_actors() > 4) std::this_thread::yield();
    h.finish();
  }
}

TEST_CASE("who monitors it hears nothing of a restart, and what it monitored is monitored no longer") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto log = new_book();
    const auto other = h->spawn(on_worker(1), run_worker, "other", log);
    REQUIRE(log->wait_for(1).size() == 1);
    const auto target =
        h->spawn(on_worker(0),
                 restart_on_failure([](self<working> me, worker_ref whom, std::shared_ptr<tally> t) -> actor {
                   if (t->lives.fetch_add(1) == 0) me.monitor(whom);
                   co_await me.serve([](job) {}, [](const crash& c) { throw std::runtime_error(c.why); },
                                     [](leave) {}, [&](life) { return t->lives.load(); },
                                     [&](const troupe::down&) { t->taken.push_back(1); });
                 }),
                 other, std::make_shared<tally>());
    const auto of_target = watch(h, target);
    for (int i = 0; i < 3; ++i) REQUIRE(target.try_send<crash>("boom").has_value());
    CHECK(*target.blocking_ask<life>(patience) == 4);
    h->kill(other);
    CHECK(log->wait_for(2).back() == "other ended");
    CHECK(*target.blocking_ask<life>(patience) == 4);
    CHECK(of_target->all().empty());
    h->stop(target);
    CHECK(of_target->wait_for(1) == lines{"DOWN stopped"});
    h.finish();
    CHECK(of_target->all().size() == 1);
  }
}

namespace {

struct copies_twice {
  explicit copies_twice(std::shared_ptr<std::atomic<int>> n) : left(std::move(n)) {}
  copies_twice(const copies_twice& o) : left(o.left) {
    if (left->fetch_sub(1) <= 0) throw std::runtime_error("no more copies");
  }
  copies_twice(copies_twice&&) noexcept = default;
  std::shared_ptr<std::atomic<int>> left;
};

}  // namespace

TEST_CASE("a start argument that cannot be copied again is a failure like any other") {
  host h(1);
  const auto log = new_book();
  const auto t = std::make_shared<team>();
  h->spawn(
      [](self<job> me, shared_team out, book l) -> actor {
        me.supervise(at_once());
        out->boss = me.me();
        out->members.push_back(
            me.spawn(restart_on_failure([](self<working> w, copies_twice, book b) -> actor {
                       b->add("started");
                       co_await w.serve([](job) {}, [](const crash& c) { throw std::runtime_error(c.why); },
                                        [](leave) {}, [](life) { return 1; }, [](const troupe::down&) {});
                     }),
                     copies_twice(std::make_shared<std::atomic<int>>(2)), l));
        l->add("ready");
        co_await me.serve([](job) {});
      },
      t, log);
  REQUIRE(log->wait_for(2).size() == 2);
  const auto of_child = watch(h, t->members[0]);
  REQUIRE(t->members[0].try_send<crash>("boom").has_value());
  REQUIRE(t->members[0].try_send<crash>("bang").has_value());
  CHECK(of_child->wait_for(1) == lines{"DOWN failed: no restart left (3 within 3600 s): no more copies"});
  h.finish();
}
