// Links: when one end dies, so does the other; a return or a stop of one leaves the other alone.
#include "actor_support.hpp"

#include <stdexcept>
#include <thread>

using namespace test;

namespace {

struct crash {
  std::string why;
};
struct tie {
  using reply = void;
  ref<> to;
};
struct untie {
  using reply = void;
  ref<> from;
};
struct leave {};
struct alive {
  using reply = int;
};
using tied = troupe::protocol<crash, tie, untie, leave, alive>;
using tied_ref = ref<tied>;

actor run_tied(self<tied> me) {
  const tracked life;
  bool stays = true;
  while (stays && !me.stopping()) {
    (void)co_await me.receive(
        [](const crash& c) { throw std::runtime_error(c.why); }, [&](const tie& t) { me.link(t.to); },
        [&](const untie& u) { me.unlink(u.from); }, [&](leave) { stays = false; }, [](alive) { return 0; });
  }
}

actor run_watcher(self<troupe::down> me, ref<> whom, book log, shared_gate watching) {
  me.monitor(whom);
  watching->open();
  (void)co_await me.receive([&](const troupe::down& d) {
    log->add(std::string(to_string(d.reason.kind)) + (d.reason.text.empty() ? "" : ": " + d.reason.text));
  });
}
book watch(host& h, const ref<>& whom) {
  const auto log = new_book();
  const auto watching = std::make_shared<gate>();
  h->spawn(run_watcher, whom, log, watching);
  REQUIRE(watching->wait());
  return log;
}

void link_up(const tied_ref& one, const tied_ref& other) {
  REQUIRE(one.blocking_ask<tie>(patience, other).has_value());
  (void)other.blocking_ask<alive>(patience);  // the letter is there
}
void unlink_from(const tied_ref& one, const tied_ref& other) {
  REQUIRE(one.blocking_ask<untie>(patience, other).has_value());
  (void)other.blocking_ask<alive>(patience);
}
void end(host& h, const tied_ref& who, const std::string& how) {
  if (how == "crash") CHECK(who.try_send<crash>("boom").has_value());
  if (how == "leave") CHECK(who.try_send<leave>().has_value());
  if (how == "stop") h->stop(who);
  if (how == "kill") h->kill(who);
}

}  // namespace

TEST_CASE("link: either end that dies takes the other with it, and says why") {
  for (const unsigned workers : {1u, 2u}) {
    for (const bool linker_dies : {false, true}) {
      for (const std::string how : {"crash", "kill"}) {
        host h(workers);
        const auto one = h->spawn(on_worker(0), run_tied);
        const auto other = h->spawn(on_worker(1), run_tied);
        link_up(one, other);
        link_up(one, other);
        link_up(other, one);
        const auto fate = watch(h, linker_dies ? other : one);
        end(h, linker_dies ? one : other, how);
        CHECK(fate->wait_for(1) == lines{how == "crash" ? "linked: failed: boom" : "linked: killed"});
        h.finish();
      }
    }
  }
}

TEST_CASE("link: one that returns or is stopped leaves the other alone") {
  for (const unsigned workers : {1u, 2u}) {
    for (const bool linker_ends : {false, true}) {
      for (const std::string how : {"leave", "stop"}) {
        host h(workers);
        const auto one = h->spawn(on_worker(0), run_tied);
        const auto other = h->spawn(on_worker(1), run_tied);
        link_up(one, other);
        const auto ended = watch(h, linker_ends ? one : other);
        end(h, linker_ends ? one : other, how);
        CHECK(ended->wait_for(1) == lines{how == "leave" ? "normal" : "stopped"});
        CHECK((linker_ends ? other : one).blocking_ask<alive>(patience).has_value());
        h.finish();
      }
    }
  }
}

TEST_CASE("link: a chain and a ring die whole, of the first reason") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    std::vector<tied_ref> ring;
    std::vector<book> fates;
    for (unsigned i = 0; i < 20; ++i) {
      ring.push_back(h->spawn(on_worker(i), run_tied));
      if (i > 0) link_up(ring[i], ring[i - 1]);
      fates.push_back(watch(h, ring[i]));
    }
    link_up(ring.front(), ring.back());
    end(h, ring[7], "crash");
    for (std::size_t i = 0; i < ring.size(); ++i)
      CHECK(fates[i]->wait_for(1) == lines{i == 7 ? "failed: boom" : "linked: failed: boom"});
    h.finish();
  }
}

TEST_CASE("link: given up by either end it is no more, and may be made again") {
  for (const unsigned workers : {1u, 2u}) {
    for (const bool by_linker : {false, true}) {
      host h(workers);
      const auto one = h->spawn(on_worker(0), run_tied);
      const auto other = h->spawn(on_worker(1), run_tied);
      const auto third = h->spawn(on_worker(1), run_tied);
      link_up(one, other);
      unlink_from(by_linker ? one : other, by_linker ? other : one);
      unlink_from(one, third);  // there is none
      const auto ended = watch(h, other);
      end(h, other, "crash");
      CHECK(ended->wait_for(1) == lines{"failed: boom"});
      CHECK(one.blocking_ask<alive>(patience).has_value());
      link_up(one, third);
      unlink_from(one, third);
      link_up(third, one);
      const auto fate = watch(h, one);
      end(h, third, "kill");
      CHECK(fate->wait_for(1) == lines{"linked: killed"});
      h.finish();
    }
  }
}

TEST_CASE("link: with one that is dead already is death, with oneself it is nothing") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto one = h->spawn(on_worker(0), run_tied);
    const auto dead = h->spawn(on_worker(1), run_tied);
    h->kill(dead);
    while (h->live_actors() > 2) std::this_thread::yield();
    link_up(one, one);
    CHECK(one.blocking_ask<alive>(patience).has_value());
    const auto fate = watch(h, one);
    CHECK(one.blocking_ask<tie>(patience, dead).has_value());
    CHECK(fate->wait_for(1) == lines{"linked: no such actor"});
    h.finish();
  }
}

TEST_CASE("link: a restart is no end, and a linked one that restarts does so when the other dies") {
  for (const unsigned workers : {1u, 2u}) {
    host h(workers);
    const auto lasting = h->spawn(on_worker(0), troupe::restart_on_failure(run_tied));
    const auto one = h->spawn(on_worker(1), run_tied);
    const auto other = h->spawn(on_worker(1), run_tied);
    link_up(lasting, one);
    link_up(other, lasting);
    REQUIRE(lasting.try_send<crash>("boom").has_value());
    CHECK(lasting.blocking_ask<alive>(patience).has_value());
    CHECK(one.blocking_ask<alive>(patience).has_value());
    end(h, one, "kill");
    const auto fate = watch(h, other);
    CHECK(lasting.blocking_ask<alive>(patience).has_value());
    end(h, lasting, "kill");
    CHECK(fate->wait_for(1) == lines{"linked: killed"});
    h.finish();
  }
}

TEST_CASE("link: thousands of pairs that link, unlink and die on two workers at once leave nothing behind") {
  host h(2);
  const auto log = new_book();
  for (unsigned pair = 0; pair < 4; ++pair) {
    h->spawn(
        on_worker(pair),
        [](self<troupe::down> me, unsigned at, book out) -> actor {
          int linked = 0;
          for (int i = 0; i < 500; ++i) {
            const auto one = me.spawn(on_worker(at), run_tied);
            const auto other = me.spawn(on_worker(at + 1), run_tied);
            me.monitor(one);
            me.monitor(other);
            (void)one.try_send<leave>();
            (void)other.try_send<crash>("boom");
            if (i % 3 == 0) (void)co_await one.ask<tie>(other);
            if (i % 3 == 1) (void)co_await other.ask<tie>(one);
            if (i % 2 == 0) me.node().kill(other);
            for (int downs = 0; downs < 2; ++downs) {
              co_await me.receive(
                  [&](const troupe::down& d) { linked += d.reason.kind == troupe::exit_kind::linked; });
            }
          }
          out->add("over");
        },
        pair, log);
  }
  CHECK(log->wait_for(4) == lines(4, "over"));
  h.finish();
}
