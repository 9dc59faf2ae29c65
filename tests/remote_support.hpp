// What the tests of actors across nodes share: two linked nodes on a chosen lane, a way to play a scenario inside an
// actor while the test waits, and nodes in child processes that can be killed.
//
// Catch2 asserts in one thread at a time: in the test's, or in a scenario while play() waits for it. A scenario that
// plays beside the test throws instead (see expect), and finish() passes that on.
#pragma once

#include <sys/prctl.h>

#include <array>
#include <functional>
#include <future>
#include <optional>
#include <stdexcept>
#include <thread>

#include "actor_support.hpp"

namespace test {

struct setting {
  bool tcp = false;
  unsigned workers = 1;
  troupe::io_backend io = troupe::io_backend::automatic;

  std::string lane() const { return tcp ? "tcp" : "shm"; }
  std::string text() const {
    return lane() + ", " + std::to_string(workers) + " workers, io " + std::string(troupe::to_string(io));
  }
  troupe::node_options options(std::string name) const {
    troupe::node_options o;
    o.name = std::move(name);
    o.workers = workers;
    o.io = io;
    o.max_message = 1u << 20;
    o.lanes = tcp ? troupe::lane_choice::tcp : troupe::lane_choice::automatic;
    return o;
  }
};

/// Both lanes with one and two workers a side, and each lane once more on the Asio driver.
inline std::vector<setting> every_setting() {
  constexpr auto any = troupe::io_backend::automatic;
  constexpr auto asio = troupe::io_backend::asio;
  return {{false, 1, any}, {true, 1, any},   {false, 2, any},
          {true, 2, any},  {false, 2, asio}, {true, 1, asio}};
}
/// For what depends on the lane alone.
inline std::vector<setting> both_lanes() {
  constexpr auto any = troupe::io_backend::automatic;
  return {{false, 2, any}, {true, 2, any}};
}

/// Until a sender waits for room in some mailbox of the node.
inline bool somebody_waits(troupe::node& n) {
  return eventually([&] {
    for (const troupe::actor_info& a : n.inspect().actors) {
      if (a.waiting != 0) return true;
    }
    return false;
  });
}

// Scenarios.

template <class P>
struct stage {
  std::function<troupe::task<void>(self<P>&)> act;
  std::promise<void> over;
};

template <class P>
actor run_stage(self<P> me, std::shared_ptr<stage<P>> s) {
  try {
    co_await s->act(me);
    s->over.set_value();
  } catch (...) {
    s->over.set_exception(std::current_exception());
  }
}

/// A scenario that plays in an actor; finish() waits for its end and passes its exception on.
class playing {
 public:
  explicit playing(std::future<void> over) : over_(std::move(over)) {}
  void finish() {
    const bool ended = over_.wait_for(patience) == std::future_status::ready;
    REQUIRE(ended);
    over_.get();
  }

 private:
  std::future<void> over_;
};

template <class P = troupe::protocol<>, class F>
playing start_playing(troupe::node& on, F scenario, const troupe::spawn_options& options = {}) {
  auto s = std::make_shared<stage<P>>();
  s->act = std::move(scenario);
  playing p(s->over.get_future());
  if (!on.spawn(options, run_stage<P>, s))
    s->over.set_exception(std::make_exception_ptr(std::runtime_error("not spawned")));
  return p;
}

/// Runs `scenario`, a task<void>(self<P>&), in an actor of that node and waits for its end.
template <class P = troupe::protocol<>, class F>
void play(troupe::node& on, F scenario, const troupe::spawn_options& options = {}) {
  start_playing<P>(on, std::move(scenario), options).finish();
}

inline void expect(const std::string& happened, const std::string& wanted) {
  if (happened != wanted) throw std::runtime_error("'" + happened + "' instead of '" + wanted + "'");
}

inline void join(troupe::node& from, const std::string& url) {
  play(from, [&](self<troupe::protocol<>>& me) -> troupe::task<void> {
    const auto joined = co_await me.node().join(url);
    INFO((joined ? "" : joined.error().text));
    REQUIRE(joined.has_value());
  });
}

inline troupe::link_info link_to(troupe::node& from, const std::string& peer) {
  for (const troupe::link_info& l : from.links()) {
    if (l.node == peer) return l;
  }
  return {};
}

// Nodes.

/// A started node, or a failed test.
inline troupe::node start(troupe::node_options options) {
  auto node = troupe::node::start(std::move(options));
  INFO((node ? "" : node.error().text));
  REQUIRE(node.has_value());
  return std::move(*node);
}
inline troupe::node start_listening(troupe::node_options options) {
  options.listen = {"tcp://127.0.0.1:0"};
  return start(std::move(options));
}

/// The books balance and nothing is pending: at once, or once the peer has acknowledged everything.
inline troupe::accounting settled(troupe::node& n) {
  troupe::accounting books;
  const bool done = eventually([&] {
    books = n.accounting();
    return books.balanced() && books.pending == 0;
  });
  INFO(n.name() << ": " << books.text());
  CHECK(done);
  return books;
}

/// Stops a node that has settled.
inline void check_stops(troupe::node& n) {
  CHECK(n.stop());
  const auto books = n.accounting();
  INFO(n.name() << ": " << books.text());
  CHECK(books.balanced());
  CHECK(books.pending == 0);
  CHECK(n.live_actors() <= 1);
}

/// Two nodes, "front" and "back"; front has joined back.
class two_nodes {
 public:
  explicit two_nodes(const setting& how) : two_nodes(how, how.options("front"), how.options("back")) {}
  two_nodes(const setting& how, troupe::node_options front_options, troupe::node_options back_options)
      : how_(how), back(start_listening(std::move(back_options))), front(start(std::move(front_options))) {
    join(front, back.endpoints()[0]);
    before_ = {link_to(front, "back"), link_to(back, "front")};
    CHECK(before_[0].lane == how_.lane());
    CHECK(before_[1].lane == how_.lane());
  }

  /// What must hold after every test: the asked-for lane carried it, every message is accounted for on both
  /// sides, no actor is left over, and both nodes stop in time.
  void finish() {
    CHECK(eventually([&] {  // the announcements of names may still be on their way
      const auto ours = settled(front);
      const auto theirs = settled(back);
      return ours.handed_over == theirs.accepted_inbound && theirs.handed_over == ours.accepted_inbound;
    }));
    finish_linked_with_others();
  }
  /// The same, when these two have sent to other nodes as well.
  void finish_linked_with_others() {
    check_lane();
    settled(front);
    settled(back);
    CHECK(eventually([&] { return front.live_actors() + back.live_actors() == own_actors; }));
    check_stops(front);
    check_stops(back);
    CHECK(tracked::alive.load() == 0);
  }
  void check_lane() {
    const std::array now = {link_to(front, "back"), link_to(back, "front")};
    for (std::size_t i = 0; i < now.size(); ++i) {
      CHECK(now[i].lane == how_.lane());
      CHECK(now[i].frames_in + now[i].frames_out > before_[i].frames_in + before_[i].frames_out);
    }
  }

 private:
  static constexpr std::uint64_t own_actors = 4;  // a root and an announcer on each

  setting how_;

 public:
  troupe::node back;
  troupe::node front;

 private:
  std::array<troupe::link_info, 2> before_;
};

inline std::atomic<unsigned> names_given{0};

/// `who`, an actor of node `at`, as node `from` knows it: looked up by a name of its own.
template <class P>
ref<P> seen_from(troupe::node& from, troupe::node& at, const ref<P>& who) {
  const std::string name = "seen-" + std::to_string(names_given.fetch_add(1));
  play(at, [&](self<troupe::protocol<>>& me) -> troupe::task<void> {
    const auto published = co_await me.node().publish(name, who);
    REQUIRE(text_of(published) == "ok");
  });
  ref<P> seen;
  play(from, [&](self<troupe::protocol<>>& me) -> troupe::task<void> {
    const auto found = co_await me.node().template lookup<P>(name).within(patience);
    REQUIRE(found.has_value());
    seen = *found;
  });
  return seen;
}

/// A gate that holds an actor and not its worker: closed until a name is published.
class named_gate {
 public:
  explicit named_gate(std::string name) : name_(std::move(name)) {}
  void open(troupe::node& at) {
    play(at, [&](self<troupe::protocol<>>& me) -> troupe::task<void> {
      const auto key = at.spawn([](self<troupe::protocol<>> k) -> actor { co_await k.serve(); });
      keys_.push_back(key);
      const auto opened = co_await me.node().publish(name_, key);
      REQUIRE(text_of(opened) == "ok");
    });
  }
  /// Takes away what open() has left behind.
  void remove(troupe::node& at) {
    for (const ref<>& key : keys_) at.stop(key);
  }

 private:
  std::string name_;
  std::vector<ref<>> keys_;
};
inline troupe::task<bool> passes(troupe::node& at, std::string gate) {
  const auto open = co_await at.lookup<troupe::protocol<>>(std::move(gate)).within(patience);
  co_return open.has_value();
}

// Other processes.

/// A child process that runs `f(say)`, where say(line) reaches the test; it is killed with its parent and when this
/// is destroyed. Make it before the test starts a node: only this thread lives on in the child.
class child_process {
 public:
  template <class F>
  explicit child_process(F f) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      std::signal(SIGABRT, SIG_DFL);
      ::close(ends[0]);
      f([out = ends[1]](std::string line) {
        line += '\n';
        (void)!::write(out, line.data(), line.size());
      });
      ::_exit(0);
    }
    ::close(ends[1]);
    from_ = ends[0];
  }
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process() {
    if (pid_ > 0) kill();
    ::close(from_);
  }

  /// The next line that it said; empty at its end.
  std::string line() {
    std::string text;
    for (char c = 0; ::read(from_, &c, 1) == 1 && c != '\n';) text += c;
    return text;
  }
  pid_t pid() const noexcept { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }
  void kill() {
    signal(SIGKILL);
    (void)wait();
  }
  /// Somebody else has waited for it.
  void reaped() noexcept { pid_ = -1; }
  /// Its wait status.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  pid_t pid_ = -1;
  int from_ = -1;
};

/// For ever, as far as the test is concerned.
inline void stay() {
  for (;;) ::pause();
}

}  // namespace test
