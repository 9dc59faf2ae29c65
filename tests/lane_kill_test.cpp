// Actors killed while they wait: ten thousand times in each kind of await, on every lane, from their own worker and from
// another one, before their first run, as they suspend, while they wait, and while what they wait for is arriving.
//
// A killer and its victims live at front, on both of its workers. What a victim waits for comes from the back side: a
// message, a reply, room. Each victim announces itself there before it waits, and the word goes on to the killer.
#include "lane_suite.hpp"

#include <array>
#include <cstdio>
#include <map>
#include <random>
#include <unordered_map>

#include <troupe/log.hpp>
#include <troupe/when.hpp>

namespace lane_kill {

struct poke {};
struct there {
  std::uint32_t victim;
};
struct announce {
  std::uint32_t victim;
  troupe::ref<there> killer;
};
struct hold {  // answered when it is fed
  using reply = std::uint32_t;
  std::uint32_t victim;
};
struct work {  // answered in so many microseconds
  using reply = std::uint32_t;
  std::uint32_t micros;
};
struct feed {
  troupe::ref<poke> poked;
  std::uint32_t victim;
};
struct forget {
  std::uint32_t victim;
};
struct may_take {
  using reply = void;
};
struct blob {
  std::string bytes;
};
using feeder = troupe::protocol<announce, hold, work, feed, forget, may_take>;
using killing = troupe::protocol<there, troupe::down>;

}  // namespace lane_kill

using namespace test;
using namespace lane_kill;
using nothing = troupe::protocol<>;

namespace {

enum class wait_in { receive, full_send, ask, sleep, when_any, select };
enum moment { at_birth, as_it_suspends, while_it_waits, at_arrival, moments };
constexpr std::array<const char*, moments> moment_names = {"at birth", "as it suspends", "while it waits",
                                                           "at arrival"};

/// How far a victim has got; what it was when it ended.
enum progress : std::uint8_t { unborn, announcing, waiting, arrived, ended, progresses };
constexpr std::array<const char*, progresses> progress_names = {"not run yet", "announcing", "waiting",
                                                                "arrived", "had ended"};

constexpr std::uint32_t at_a_time = 64;
constexpr std::uint32_t an_hour = 3'600'000'000;  // microseconds
using stages = std::shared_ptr<std::array<std::atomic<std::uint8_t>, at_a_time>>;

struct plan {
  wait_in kind;
  std::uint32_t number;
  std::uint32_t micros;  // until a wait that ends by itself does
  bool fails;            // when what it waited for has come
  std::size_t bytes;
  ref<there> killer;
  ref<feeder> back;
  ref<blob> valve;
};

troupe::task<> holds(ref<feeder> back, std::uint32_t number) {
  (void)co_await back.ask<hold>(number).within(1h);
}
troupe::task<> sleeps(std::uint32_t micros, int levels = 0) {
  const tracked life;
  if (levels != 0) co_return co_await sleeps(micros, levels - 1);
  co_await troupe::sleep_operation(std::chrono::microseconds(micros));
}

actor run_victim(self<poke> me, plan p, stages all) {
  const tracked life;
  std::atomic<std::uint8_t>& stage = all->at(p.number % at_a_time);
  stage.store(announcing);
  (void)co_await p.back.send<announce>(p.number, p.killer);
  stage.store(waiting);
  switch (p.kind) {
    case wait_in::receive:
      if (p.number % 3 == 0) co_await me.receive([](poke) {});
      if (p.number % 3 == 1) (void)co_await me.receive<poke>();
      if (p.number % 3 == 2) co_await me.receive([](poke) {}).within(1h);
      break;
    case wait_in::full_send: {
      const std::string bytes(p.bytes, 'x');
      (void)co_await p.valve.send<blob>(bytes);
      break;
    }
    case wait_in::ask:
      if (p.number % 2 == 0) {
        (void)co_await p.back.ask<hold>(p.number).within(1h);
      } else {
        (void)co_await p.back.ask<work>(p.micros).within(1h);
      }
      break;
    case wait_in::sleep:
      if (p.number % 3 == 0) co_await me.sleep(std::chrono::microseconds(p.micros));
      if (p.number % 3 == 1) co_await sleeps(p.micros, 3);
      if (p.number % 3 == 2) {  // in a handler
        (void)me.me().try_send<poke>();
        co_await me.receive([&](poke) -> troupe::task<> { co_await sleeps(p.micros); });
      }
      break;
    case wait_in::when_any: {
      std::vector<troupe::task<>> some;
      some.push_back(holds(p.back, p.number));
      some.push_back(sleeps(p.micros));
      if (p.number % 2 == 0) {
        (void)co_await troupe::when_any(std::move(some));
      } else {
        co_await troupe::when_all(troupe::when_any(std::move(some)),
                                  troupe::select(sleeps(an_hour), sleeps(p.micros)));
      }
      break;
    }
    case wait_in::select:
      (void)co_await troupe::select(me.receive([](poke) {}), p.back.ask<hold>(p.number).within(1h),
                                    sleeps(p.micros));
      break;
  }
  stage.store(arrived);
  if (p.fails) throw std::runtime_error("once more");
}

/// The back side: passes announcements on, and lets arrive what is waited for.
actor run_feeder(self<feeder> me) {
  std::map<std::uint32_t, troupe::replier<std::uint32_t>> held;
  std::optional<troupe::replier<void>> valve;
  co_await me.serve(
      troupe::interleave(4 * at_a_time),
      [](const announce& a) -> troupe::task<> { (void)co_await a.killer.send<there>(a.victim); },
      [&](hold h, troupe::replier<std::uint32_t> reply) {
        held.insert_or_assign(h.victim, std::move(reply));
      },
      [&](work w) -> troupe::task<std::uint32_t> {
        const tracked life;
        co_await me.sleep(std::chrono::microseconds(w.micros));
        co_return w.micros;
      },
      [&](const feed& f) -> troupe::task<> {
        if (const auto h = held.find(f.victim); h != held.end()) {
          h->second.reply(f.victim);
          held.erase(h);
        }
        if (valve) valve->reply();
        valve.reset();
        if (f.poked) (void)co_await f.poked.send<poke>();
      },
      [&](forget f) { held.erase(f.victim); },
      [&](may_take, troupe::replier<void> reply) { valve.emplace(std::move(reply)); });
}

/// A full mailbox, out of which a message is taken now and then.
actor run_valve(self<blob> me, ref<feeder> by) {
  for (;;) {
    (void)co_await by.ask<may_take>().within(1h);
    co_await me.receive([](const blob&) {});
  }
}
actor run_pours(self<nothing> me, ref<blob> to, std::size_t size) {
  (void)me;
  const std::string bytes(size, 'x');
  for (;;) (void)co_await to.send<blob>(bytes);
}

struct tally {
  std::array<std::array<std::array<std::uint64_t, progresses>, moments>, 2> killed{};  // by worker
  std::uint64_t wrong = 0;  // DOWN with a reason that no victim can have
  std::promise<void> done;

  std::uint64_t sum(progress p, unsigned worker) const {
    std::uint64_t n = 0;
    for (const auto& row : killed[worker]) n += row[p];
    return n;
  }
  void print(const char* name, lane_case& on) {
    std::string table = std::string(name) + ", " + on.lane_name() + ":";
    const auto cell = [&](const std::string& text) {
      table.append(text.size() < 14 ? 14 - text.size() : 1, ' ') += text;
    };
    table += "\n" + std::string(24, ' ');
    for (const char* p : progress_names) cell(p);
    for (unsigned worker = 0; worker < 2; ++worker) {
      for (std::size_t m = 0; m < moments; ++m) {
        std::string head = std::string(worker == 0 ? "own worker,   " : "other worker, ") + moment_names[m];
        head.resize(28, ' ');
        table += "\n" + head.substr(0, 28);
        for (std::size_t p = 0; p < progresses; ++p) cell(std::to_string(killed[worker][m][p]));
      }
    }
    std::printf("%s\nfront: %s\n", table.c_str(), on.front().accounting().text().c_str());
    if (!on.local()) std::printf("back:  %s\n", on.back().accounting().text().c_str());
  }
};

/// Kills victims until `wanted` were hit while they waited, on each of its two workers.
actor run_killer(self<killing> me, plan p, std::uint64_t wanted, std::shared_ptr<tally> result) {
  struct victim {
    ref<poke> who;
    moment when;
    bool named;
  };
  troupe::supervision patient;
  patient.most_restarts = 65'536;
  patient.backoff = {50us, 100us};
  me.supervise(patient);
  std::minstd_rand chance(static_cast<unsigned>(p.kind) + 1);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(chance() % n); };
  const auto all = std::make_shared<std::array<std::atomic<std::uint8_t>, at_a_time>>();
  p.killer = me.me();
  std::uint32_t first = 0;
  while (result->sum(waiting, 0) < wanted || result->sum(waiting, 1) < wanted) {
    std::array<victim, at_a_time> victims;
    std::unordered_map<ref<>, std::uint32_t> number_of;
    for (std::uint32_t i = 0; i < at_a_time; ++i) {
      const unsigned worker = i % 2;
      all->at(i).store(unborn);
      const std::uint32_t dice = below(10);
      const moment when = dice < 1   ? at_birth
                          : dice < 3 ? as_it_suspends
                          : dice < 7 ? while_it_waits
                                     : at_arrival;
      p.number = first + i;
      p.micros = when == at_arrival ? below(300) + 1 : an_hour;
      p.fails = below(4) == 0;
      const auto options = on_worker(worker);
      const auto who = p.fails ? me.spawn(options, troupe::restart_on_failure(run_victim), p, all)
                               : me.spawn(options, run_victim, p, all);
      victims[i] = {who, when, false};
      number_of.emplace(who, i);
      me.monitor(who);
      if (when == at_birth) me.node().kill(who);
      if (when == as_it_suspends && worker != 0) {
        const auto until = std::chrono::steady_clock::now() + 50us;
        while (all->at(i).load() != waiting && std::chrono::steady_clock::now() < until) {
        }
        me.node().kill(who);
      }
    }
    for (std::uint32_t left = at_a_time; left != 0;) {
      std::uint32_t gone = at_a_time;
      (void)co_await me.receive(
          [&](there t) -> troupe::task<> {
            victim& v = victims[t.victim % at_a_time];
            if (t.victim - first >= at_a_time || std::exchange(v.named, true)) co_return;
            if (v.when == at_arrival) {
              (void)co_await p.back.send<feed>(v.who, t.victim);
              const std::uint32_t pause = below(4);
              if (pause == 1) {
                const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(below(20));
                while (std::chrono::steady_clock::now() < until) {
                }
              }
              if (pause == 2) co_await me.sleep(std::chrono::microseconds(below(150) + 1));
              // Some have ended by then, however fast a kill is.
              for (int looks = 0; pause == 3 && looks < 20; ++looks) {
                if (all->at(t.victim % at_a_time).load() == arrived) break;
                co_await me.sleep(100us);
              }
            }
            me.node().kill(v.who);
          },
          [&](const troupe::down& d) {
            gone = number_of.at(d.actor);
            const bool returned =  // perhaps before the monitor was there
                d.reason.kind == troupe::exit_kind::normal ||
                d.reason.kind == troupe::exit_kind::no_such_actor;
            result->wrong += !returned && d.reason.kind != troupe::exit_kind::killed;
            const std::uint8_t stage = returned ? std::uint8_t{ended} : all->at(gone).load();
            ++result->killed[gone % 2][victims[gone].when][stage];
            --left;
          });
      if (gone != at_a_time) (void)co_await p.back.send<forget>(first + gone);
    }
    first += at_a_time;
  }
  result->done.set_value();
}

std::uint64_t kills() {
  const char* const text = std::getenv("TROUPE_KILLS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 10'000;
}

void check_kills(lane_case& on, wait_in kind, const char* name) {
  const auto back = on.spawn_back(run_feeder);
  const auto valve = on.spawn_back(on.at_back(1), run_valve, back.home);
  plan p{};
  p.kind = kind;
  p.bytes = on.local() ? 16 : 30'000;  // over a link it is bytes that fill a mailbox
  p.back = back.far;
  p.valve = valve.far;
  std::vector<ref<>> pourers;
  for (unsigned i = 0; kind == wait_in::full_send && i < 2; ++i)
    pourers.push_back(on.front().spawn(on_worker(i), run_pours, p.valve, p.bytes));
  const auto result = std::make_shared<tally>();
  troupe::set_log_sink([](troupe::log_level, std::string_view) {});  // a line for each restart
  on.front().spawn(on_worker(0), run_killer, p, kills() / 2, result);
  REQUIRE(result->done.get_future().wait_for(150s) == std::future_status::ready);
  for (const ref<>& pourer : pourers) on.front().kill(pourer);
  on.kill(valve);
  on.stop(back);
  CHECK(on.left_alive(0));
  troupe::set_log_sink({});
  settled(on.front());
  settled(on.back());
  result->print(name, on);
  CHECK(result->wrong == 0);
  for (unsigned worker = 0; worker < 2; ++worker) {
    CHECK(result->sum(waiting, worker) >= kills() / 2);
    for (const progress p_hit : {unborn, ended}) CHECK(result->sum(p_hit, worker) > 0);
  }
}

}  // namespace

LANE_TEST_ONCE("kill: ten thousand that wait in receive") { check_kills(on, wait_in::receive, "receive"); }
LANE_TEST_ONCE("kill: ten thousand that wait for room to send") {
  check_kills(on, wait_in::full_send, "full send");
}
LANE_TEST_ONCE("kill: ten thousand that wait in ask") { check_kills(on, wait_in::ask, "ask"); }
LANE_TEST_ONCE("kill: ten thousand that sleep") { check_kills(on, wait_in::sleep, "sleep"); }
LANE_TEST_ONCE("kill: ten thousand that wait in when_any") { check_kills(on, wait_in::when_any, "when_any"); }
LANE_TEST_ONCE("kill: ten thousand that wait in select") { check_kills(on, wait_in::select, "select"); }
