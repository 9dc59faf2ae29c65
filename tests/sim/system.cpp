#include "system.hpp"

#include <algorithm>
#include <deque>
#include <new>
#include <stdexcept>
#include <utility>

#include "keeper.hpp"
#include "sim/chance.hpp"

namespace seeds {

using troupe::actor;
using troupe::down;
using troupe::duration;
using troupe::protocol;
using troupe::ref;
using troupe::self;
using troupe::detail::chance;
using troupe::sim::process;

struct parcel {
  std::uint64_t stream;
  std::uint64_t number;
  std::uint64_t size;
  std::string ballast;  // so many of a letter that depends on the number
  troupe::bulk sheet;   // the same letter all over
};
static char letter_of(std::uint64_t number) { return static_cast<char>('a' + number % 26); }
static bool is_of(const troupe::bulk& sheet, char letter) {
  return std::ranges::all_of(sheet.trusted_bytes(), [&](std::byte b) { return b == std::byte(letter); });
}

struct question {
  std::uint64_t stream;
  std::uint64_t number;
  std::uint64_t busy_us;
  using reply = std::uint64_t;  // the number
};
struct who {
  using reply = std::uint64_t;  // the station
  std::string ballast = {};
};
struct spoil {};
using station = protocol<parcel, question, who, spoil>;

/// Spawned from other nodes: it answers with what it was given, and ends.
static actor run_visitor(self<who> me, std::string given, std::uint64_t number) {
  const bool whole = given == std::string(number % 100, letter_of(number));
  co_await me.receive([&](who) { return whole ? number : 0; }).within(2s);
}
static constexpr troupe::kind<run_visitor> visitor{"visitor"};

namespace {

struct site {
  std::string name;
  std::string host;
  std::string url_from(const site& other) const {
    const std::string at = other.host == host ? "127.0.0.1" : host;
    return "tcp://" + at + ":" + std::to_string(port);
  }
  std::uint16_t port;
};

/// What the actors of one life share.
struct place {
  scene_ptr s;
  life_ptr own;
  std::vector<site> sites;
  std::size_t here;
  unsigned workers;
  bool heavy;  // all messages are large
  chance dice;

  scene* speak() const { return own->ended() ? nullptr : s.get(); }
  bool over() const { return own->ended() || s->over; }
};
using place_ptr = std::shared_ptr<place>;

/// Work that is over when this goes.
class task_mark {
 public:
  task_mark(place_ptr p, std::string what) : place_(std::move(p)) {
    if (scene* const s = place_->speak()) number_ = s->begin(place_->own, std::move(what));
  }
  task_mark(const task_mark&) = delete;
  task_mark& operator=(const task_mark&) = delete;
  ~task_mark() {
    if (scene* const s = place_->speak()) s->end(number_);
  }

 private:
  place_ptr place_;
  std::uint64_t number_ = 0;
};

constexpr std::size_t most_kept = 8;  // sheets of a station

actor run_station(self<station> me, place_ptr at, std::uint64_t number) {
  const auto note = [&](std::uint64_t stream, std::uint64_t n, bool counts) {
    if (scene* const s = at->speak()) s->arrived(stream, n, number, counts);
  };
  if (scene* const s = at->speak()) s->station_begins(number);
  struct kept_sheet {
    troupe::bulk bytes;
    char letter;
  };
  std::deque<kept_sheet> kept;  // whoever wrote them may be gone, or writes others
  const auto look_at = [&](const parcel& p) {
    note(p.stream, p.number, true);
    scene* const s = at->speak();
    const char letter = letter_of(p.number);
    if (s != nullptr && (p.ballast != std::string(p.size, letter) || !is_of(p.sheet, letter))) {
      s->violated("content: a message arrived with other bytes than were sent");
    }
    if (p.sheet.empty()) return;
    kept.push_back({p.sheet, letter});
    if (kept.size() <= most_kept) return;
    if (s != nullptr && !is_of(kept.front().bytes, kept.front().letter)) {
      s->violated("content: a bulk changed while it was kept");
    }
    kept.pop_front();
  };
  const auto fail = [&] {
    if (scene* const s = at->speak()) s->station_spoiled(number);
    throw std::runtime_error("spoiled");
  };
  co_await me.serve([&](const parcel& p) { look_at(p); },
                    [&](question q) -> troupe::task<std::uint64_t> {
                      note(q.stream, q.number, false);
                      if (q.busy_us != 0) co_await me.sleep(std::chrono::microseconds(q.busy_us));
                      co_return q.number;
                    },
                    [&](who) { return number; }, [&](spoil) { fail(); });
}

/// A monitor needs memory, and there may be none for a moment.
template <class P, class Q>
void monitor_surely(const self<P>& me, const ref<Q>& whom) {
  for (bool done = false; !done;) {
    try {
      me.monitor(whom);
      done = true;
    } catch (const std::bad_alloc&) {
    }
  }
}

constexpr std::uint64_t shared_memory = 16 << 20;  // of a node
constexpr std::uint64_t node_memory = 1 << 20;     // of all mailboxes of a node
constexpr std::uint64_t link_window = 128 * 1024;  // of one sending worker and destination
constexpr std::uint64_t largest = 120'000;         // of a message
constexpr std::uint64_t largest_sheet = 150'000;   // that it may have beside that
constexpr std::uint32_t message_limit = 512 * 1024;
constexpr std::uint64_t most_talkers = 4;  // of a node
constexpr unsigned most_workers = 3;

/// What may be under way to a mailbox: beside what it holds, one message that came when there was just room, and for each
/// sender the one that it waits with.
load bound_of(std::uint64_t messages, std::uint64_t bytes) {
  return {messages + most_talkers + 1, bytes + (most_talkers + 1) * largest};
}

std::string station_of(const site& s) { return "station-" + s.name; }

struct open_stream {
  ref<station> to;
  std::uint64_t stream;
  std::uint64_t next = 1;
};

/// Of that letter; empty if there is no memory for it.
troupe::bulk sheet_of(const self<protocol<>>& me, std::size_t size, char letter) {
  auto buffer = me.loan(size);
  if (!buffer) return {};
  std::ranges::fill(buffer->bytes(), std::byte(letter));
  return std::move(*buffer).seal();
}

/// Sends to stations that it looks up, for as long as there is traffic.
actor run_talker(self<protocol<>> me, place_ptr at, unsigned rounds) {
  const task_mark living(at, "a talker of " + at->sites[at->here].name);
  chance dice = at->dice.split();
  std::vector<open_stream> streams;
  for (unsigned round = 0; round < rounds && !at->over(); ++round) {
    co_await me.sleep(std::chrono::microseconds(dice.below(20'000)));
    const site& goal = at->sites[dice.below(at->sites.size())];
    const auto found = co_await me.node().lookup<station>(station_of(goal) + "@" + goal.name).within(100ms);
    if (!found || at->over()) continue;
    auto known = std::ranges::find(streams, *found, &open_stream::to);
    if (known == streams.end()) {
      scene* const s = at->speak();
      if (s == nullptr) break;
      streams.push_back({*found, s->open_stream(at->own)});
      known = streams.end() - 1;
    }
    open_stream& to = *known;
    if (dice.one_in(30)) static_cast<void>(to.to.try_send<spoil>());
    if (dice.one_in(10)) {
      const std::uint64_t number = 1 + dice.below(1'000'000);
      const std::string given(number % 100, letter_of(number));
      const auto guest = co_await me.node().spawn_on(goal.name, visitor, given, number);
      if (!guest) continue;
      const auto answer = co_await guest->ask<who>().within(100ms);
      if (answer && *answer != number) {
        if (scene* const s = at->speak()) s->violated("content: an actor was spawned with other arguments");
      }
    }
    const std::uint64_t burst = 1 + dice.below(at->heavy || dice.one_in(8) ? 120 : 25);
    for (std::uint64_t i = 0; i < burst && !at->over(); ++i) {
      const std::uint64_t number = to.next++;
      if (dice.one_in(12)) {
        const duration patience = dice.between(500us, 100ms);
        const task_mark asking(at, "an ask of " + at->sites[at->here].name);
        const auto answer =
            co_await to.to.ask<question>(to.stream, number, dice.one_in(4) ? dice.below(3'000) : 0)
                .within(patience);
        if (answer && *answer != number) {
          if (scene* const s = at->speak()) s->violated("ask: the answer to another question came");
        }
        if (!answer && answer.error() == troupe::errc::unreachable) break;
        continue;
      }
      const bool large = at->heavy || dice.one_in(200);
      const bool in_chunks = dice.one_in(large ? 8 : 400);
      const std::uint64_t limit = in_chunks ? largest : large ? 60'000 : dice.one_in(10) ? 4'000 : 40;
      const std::uint64_t size = dice.below(limit);
      // Counted before: on another worker it may arrive before this goes on.
      if (scene* const s = at->speak()) s->accepted(to.stream, number, size);
      std::string ballast(size, letter_of(number));
      const std::uint64_t sheet_size = dice.one_in(40) ? dice.below(largest_sheet) : 0;
      troupe::bulk sheet = sheet_of(me, sheet_size, letter_of(number));
      const auto sent =
          co_await to.to.send<parcel>(to.stream, number, size, troupe::give(ballast), troupe::give(sheet))
              .within(1s);
      if (sent) continue;
      if (scene* const s = at->speak()) s->not_accepted(to.stream, number);
      break;
    }
  }
}

/// Monitors stations, and hears of their ends.
actor run_watcher(self<protocol<down>> me, place_ptr at) {
  struct watch {
    ref<> whom;
    std::uint64_t number;
  };
  chance dice = at->dice.split();
  std::vector<watch> watches;
  std::vector<ref<>> forgotten;
  while (!me.stopping()) {
    auto told = co_await me.receive<down>().within(dice.between(1ms, 60ms));
    if (told) {
      const auto which = std::ranges::find(watches, told->actor, &watch::whom);
      scene* const s = at->speak();
      if (s == nullptr) co_return;
      if (which == watches.end()) {
        if (std::ranges::find(forgotten, told->actor) == forgotten.end())
          s->violated("DOWN: of an actor that is not watched (any more)");
        continue;
      }
      s->downed(which->number, told->reason.kind);
      watches.erase(which);
      continue;
    }
    if (at->over()) continue;
    if (!watches.empty() && dice.one_in(8)) {
      const auto which = watches.begin() + static_cast<std::ptrdiff_t>(dice.below(watches.size()));
      me.demonitor(which->whom);
      if (scene* const s = at->speak()) s->demonitored(which->number);
      forgotten.push_back(which->whom);  // its end may have begun
      watches.erase(which);
    }
    const site& goal = at->sites[dice.below(at->sites.size())];
    const auto found = co_await me.node().lookup<station>(station_of(goal) + "@" + goal.name).within(20ms);
    if (!found || at->over()) continue;
    const ref<> whom = *found;
    if (std::ranges::find(watches, whom, &watch::whom) != watches.end()) continue;
    const auto number = co_await found->ask<who>().within(100ms);
    scene* const s = at->speak();
    if (!number || s == nullptr) continue;
    monitor_surely(me, *found);
    watches.push_back({whom, s->monitored(at->own, *number)});
  }
}

constexpr duration linker_rest = 10ms;

/// Keeps this node linked with those that were started before it.
actor run_linker(self<protocol<>> me, place_ptr at, std::size_t peer) {
  const site& other = at->sites[peer];
  while (!me.stopping()) {
    const std::vector<troupe::link_info> links = me.node().links();
    const bool linked = std::ranges::any_of(
        links, [&](const troupe::link_info& l) { return l.node == other.name && l.lane != "none"; });
    if (!linked) co_await me.node().join(other.url_from(at->sites[at->here]));
    const duration before = at->s->world.elapsed();
    co_await me.sleep(linker_rest);
    if (scene* const s = at->speak()) s->slept(linker_rest, s->world.elapsed() - before);
  }
}

/// Holds the station, and replaces it now and then.
actor run_boss(self<protocol<down>> me, place_ptr at) {
  me.supervise({.most_restarts = 60'000, .within = 5s, .backoff = {.first = 1ms, .most = 4ms}});
  chance dice = at->dice.split();
  const std::string name = station_of(at->sites[at->here]);
  while (!me.stopping()) {
    scene* s = at->speak();
    if (s == nullptr) co_return;
    const auto mailbox = static_cast<std::uint32_t>(dice.between(4, 200));
    const std::uint64_t bytes = dice.between(64 * 1024, 2 * node_memory);
    const auto worker = static_cast<unsigned>(dice.below(at->workers));
    const bool refuses = dice.one_in(6);
    const bool sheds = dice.one_in(6);
    const bool oldest = dice.one_in(2);
    const troupe::overflow when_full =
        sheds     ? oldest ? troupe::overflow::drop_oldest : troupe::overflow::drop_newest
        : refuses ? troupe::overflow::reject
                  : troupe::overflow::wait;
    // The node's sum is known to within a sixteenth. A link bounds bytes only.
    const load local = bound_of(mailbox, std::min(bytes, node_memory + node_memory / 16));
    const load remote = bound_of(~0u, (link_window + largest) * most_workers);
    constexpr load any{~0ull, ~0ull};  // what was shed seems to be under way
    const bool exact = when_full == troupe::overflow::wait;
    const std::uint64_t number = s->new_station(at->own, sheds ? any : local, exact ? remote : any);
    const troupe::spawn_options options{.name = "station",
                                        .mailbox = mailbox,
                                        .mailbox_bytes = bytes,
                                        .when_full = when_full,
                                        .worker = worker};
    const ref<station> own = me.spawn(options, troupe::restart_on_failure(run_station), at, number);
    monitor_surely(me, own);
    for (;;) {
      const auto published = co_await me.node().publish(name, own);
      if (published || me.stopping() || published.error() == troupe::errc::no_such_actor) break;
      co_await me.sleep(1ms);
    }
    const bool lasts = dice.one_in(2);
    const duration lasting = dice.between(100ms, 900ms);
    auto ended = co_await me.receive<down>().within(lasts ? duration(1h) : lasting);
    if (!ended && at->over()) ended = co_await me.receive<down>();  // the last one stays
    s = at->speak();
    if (s == nullptr) co_return;
    s->station_stopped(number);
    if (ended || me.stopping()) continue;
    me.node().stop(own);
    co_await me.receive<down>();
  }
}

struct errand {
  std::uint64_t number;  // from 1
};
struct errands_end {
  std::uint64_t count;
};
struct ready {};
using helper = protocol<errand, errands_end>;

/// There is not always memory for it, nor room in the node, but sooner or later; it need not come to whoever stops.
template <class M, class P, class... Args>
troupe::task<void> send_surely(ref<P> to, Args... args) {
  for (;;) {
    const auto sent = co_await to.template send<M>(args...);
    if (sent || sent.error() != troupe::errc::no_memory) co_return;
  }
}

/// One of many that are spawned together, and may begin on another worker: what it was sent by then comes first, in order.
actor run_helper(self<helper> me, place_ptr at, ref<ready> to) {
  std::uint64_t came = 0;
  bool over = false;
  const auto take = [&](errand e) {
    scene* const s = at->speak();
    if (++came != e.number && s != nullptr) s->violated("order: an errand came before an earlier one");
  };
  const auto end = [&](errands_end all) {
    scene* const s = at->speak();
    if (all.count != came && s != nullptr)
      s->violated("loss: an actor that was to begin elsewhere missed messages");
    over = true;
  };
  while (!over) {
    const auto got = co_await me.receive(take, end);
    if (!got) co_return;
  }
  co_await send_surely<ready>(to);
}

/// Spawns helpers by the dozen, so that workers with nothing to do get some; others are pinned.
actor run_crew(self<ready> me, place_ptr at, unsigned rounds) {
  chance dice = at->dice.split();
  for (unsigned round = 0; round < rounds && !at->over(); ++round) {
    co_await me.sleep(std::chrono::microseconds(dice.below(100'000)));
    const task_mark working(at, "a crew of " + at->sites[at->here].name);
    const std::uint64_t helpers = dice.between(2, 12);
    for (std::uint64_t i = 0; i < helpers; ++i) {
      troupe::spawn_options where;
      const bool pinned = dice.below(3) == 0;
      if (pinned) where.worker = static_cast<unsigned>(dice.below(at->workers));
      const auto one = me.spawn(where, run_helper, at, me.me());
      const std::uint64_t errands = dice.below(pinned ? 16 : 4);  // many make a burst
      for (std::uint64_t number = 1; number <= errands; ++number) co_await send_surely<errand>(one, number);
      co_await send_surely<errands_end>(one, errands);
    }
    const auto count = [](ready) {};
    for (std::uint64_t i = 0; i < helpers; ++i) {
      const auto told = co_await me.receive(count);
      if (!told) co_return;
    }
  }
}

/// Asks that station until it answers.
actor run_prober(self<protocol<>> me, scene_ptr s, std::shared_ptr<std::size_t> answers, std::string goal) {
  while (!me.stopping()) {
    co_await me.sleep(1ms);  // what fails at once would be tried for ever in no time
    const auto found = co_await me.node().lookup<station>("station-" + goal + "@" + goal).within(100ms);
    if (!found) continue;
    bool answered = true;
    for (int i = 0; i < 3 && answered; ++i) {
      // The second one is large: several writes, with nothing behind them to set the last ones going. Others' may take the
      // room of this one: then the answer comes at once.
      std::string ballast(i == 1 ? 200'000 : 0, 'w');
      const duration began = s->world.elapsed();
      const auto answer = co_await found->ask<who>(troupe::give(ballast)).within(500ms);
      const bool at_once = s->world.elapsed() - began < 400ms;
      const troupe::errc why = answer ? troupe::errc::ok : answer.error().code;
      const bool has_no_room = at_once && (why == troupe::errc::mailbox_full || why == troupe::errc::shed);
      answered = answer.has_value() || has_no_room;
      // Once there is a link, and nothing goes wrong any more, every ask is answered.
      if (!answered && i != 0)
        s->violated("ask: unanswered though nothing is wrong: " + answer.error().text());
    }
    if (!answered) continue;
    ++*answers;
    break;
  }
}

void boot(const place_ptr& at, troupe::node& n, const promise_ptr& promised) {
  chance& dice = at->dice;
  static_cast<void>(n.offer(visitor));
  for (std::size_t peer = 0; peer < at->here; ++peer) n.spawn(run_linker, at, peer);
  n.spawn({.name = "boss"}, run_boss, at);
  n.spawn({.name = "watcher"}, run_watcher, at);
  n.spawn({.name = "keeper"}, run_keeper, at->s, at->own, promised, dice.next());
  n.spawn({.name = "crew"}, run_crew, at, static_cast<unsigned>(dice.between(2, 8)));
  const std::uint64_t talkers = dice.between(2, most_talkers);
  for (std::uint64_t i = 0; i < talkers; ++i) {
    n.spawn({.name = "talker"}, run_talker, at,
            static_cast<unsigned>(at->heavy ? dice.between(3, 6) : dice.between(10, 25)));
  }
}

}  // namespace

std::vector<const process*> start_system(const scene_ptr& s) {
  troupe::sim::world& world = s->world;
  const std::size_t nodes = 3 + world.random(3);
  const std::uint64_t hosts = 1 + world.random(nodes);
  std::vector<site> sites;
  for (std::size_t i = 0; i < nodes; ++i) {
    sites.push_back({"n" + std::to_string(i), "h" + std::to_string(world.random(hosts)),
                     static_cast<std::uint16_t>(1000 + i)});
  }
  const bool heavy = world.random(16) == 0;
  const bool introduced = world.random(2) == 0;  // else they know each other by what each joins
  std::vector<const process*> all;
  for (std::size_t i = 0; i < nodes; ++i) {
    troupe::node_options options;
    options.name = sites[i].name;
    options.listen = {"tcp://0.0.0.0:" + std::to_string(sites[i].port)};
    options.workers = static_cast<unsigned>(1 + world.random(most_workers));
    options.mailbox_memory = node_memory;
    options.shared_memory = shared_memory;
    options.ring_bytes = 256 * 1024;  // the least: they wrap often
    options.max_message = message_limit;
    options.join_deadline = 500ms;
    if (!introduced) options.mesh = 0;
    options.lanes = world.random(4) == 0 ? troupe::lane_choice::tcp : troupe::lane_choice::automatic;
    if (world.random(4) == 0) options.wire_minor = 0;
    s->old_version = s->old_version || options.wire_minor == 0;
    const unsigned workers = options.workers;
    const auto promised = std::make_shared<journal_promise>();
    const auto begin = [s, sites, i, workers, heavy, promised](process& p) {
      const auto own = std::make_shared<life>(life{&p, p.lives()});
      boot(std::make_shared<place>(place{s, own, sites, i, workers, heavy, chance(s->world.random(~0ull))}),
           p.node(), promised);
    };
    all.push_back(&world.start(options, begin, {.host = sites[i].host}));
  }
  return all;
}

bool everybody_answers(const scene_ptr& s, const std::vector<const process*>& all) {
  auto answers = std::make_shared<std::size_t>(0);
  for (const process* const p : all) {
    for (const process* const other : all) p->node().spawn(run_prober, s, answers, other->name());
  }
  return s->world.run_until([&] { return *answers == all.size() * all.size(); }, 30s);
}

}  // namespace seeds
