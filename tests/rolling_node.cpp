// One node of a rolling restart (rolling_test.cpp), a program of two versions: TROUPE_ROLLING_VERSION. It publishes a service,
// and asks those of the other nodes as long as it runs, each found by name and, when an ask has failed, found again. Version 1
// speaks the wire's minor version 0; version 2 has one field more in the question and in the answer.
//
//   rolling_node_1 NAME LIFE URL LANES ASKERS ENOUGH PEER URL [PEER URL]…      (or mesh for a URL: it does not join that one)
//
// SIGTERM stops it in order; its exit code is then 0. What it says, a line each; times are nanoseconds of the steady clock:
//
//   joined PEER
//   reached PEER LIFE VERSION             the first answer of that life of the peer
//   enough PEER LIFE                      each of its askers has had ENOUGH answers of it; again after as many more
//   failed PEER LIFE BEGUN ENDED WHY      an ask that failed; LIFE is 0 if its target had not answered that asker before
//   wrong WHAT                            what must not be
//   lane PEER LANE                        at the end
//   total PEER OK FAILED FOUND            at the end; FOUND: lookups that gave a ref
//   ended                                 stopped in order, and its books balance
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <troupe/troupe.hpp>

namespace rolling {

using namespace std::chrono_literals;

constexpr std::uint32_t own_version = TROUPE_ROLLING_VERSION;
[[maybe_unused]] constexpr std::uint64_t not_said =
    77;  // what a field is that the other version does not know

struct answer {
  std::string text;
  std::uint32_t version = 0;
  std::uint32_t life = 0;
#if TROUPE_ROLLING_VERSION >= 2
  std::uint64_t number = not_said;
#endif
};
struct question {
  using reply = answer;
  std::string text;
  std::uint32_t version = 0;
#if TROUPE_ROLLING_VERSION >= 2
  std::uint64_t number = not_said;
#endif
};
using echo = troupe::protocol<question>;

std::string service_of(const std::string& node) { return "echo of " + node; }

/// In one write, so that lines of several threads do not mix.
void say(std::string line) {
  line += '\n';
  (void)!::write(STDOUT_FILENO, line.data(), line.size());
}

std::int64_t now() { return std::chrono::steady_clock::now().time_since_epoch() / 1ns; }

struct settings {
  std::string name;
  std::uint32_t life = 0;
  std::string url;
  bool tcp = false;
  unsigned askers = 0;  // for each peer
  unsigned enough = 0;
  std::map<std::string, std::string> peers;  // and where they listen; "mesh": others know
};

/// What the askers have met. Thread-safe.
class report {
 public:
  explicit report(const settings& set) : set_(set) {
    for (const auto& [peer, url] : set.peers) of_[peer].answers.resize(set.askers);
  }
  void found(const std::string& peer) {
    const std::lock_guard lock(guard_);
    ++of_[peer].found;
  }
  void answered(const std::string& peer, unsigned asker, const answer& by) {
    const std::lock_guard lock(guard_);
    figures& f = of_[peer];
    ++f.ok;
    if (by.life < f.life) return;  // another asker was faster
    if (by.life > f.life) {
      f.life = by.life;
      f.answers.assign(set_.askers, 0);
      f.rounds = 0;
      say("reached " + peer + " " + std::to_string(by.life) + " " + std::to_string(by.version));
    }
    ++f.answers[asker];
    if (*std::ranges::min_element(f.answers) < (f.rounds + 1) * set_.enough) return;
    ++f.rounds;
    say("enough " + peer + " " + std::to_string(by.life));
  }
  void failed(const std::string& peer, std::uint32_t life, std::int64_t begun, const std::string& why) {
    const std::lock_guard lock(guard_);
    ++of_[peer].failed;
    say("failed " + peer + " " + std::to_string(life) + " " + std::to_string(begun) + " " +
        std::to_string(now()) + " " + why);
  }
  void say_totals() {
    const std::lock_guard lock(guard_);
    for (const auto& [peer, f] : of_) {
      say("total " + peer + " " + std::to_string(f.ok) + " " + std::to_string(f.failed) + " " +
          std::to_string(f.found));
    }
  }

 private:
  struct figures {
    std::uint64_t ok = 0;
    std::uint64_t failed = 0;
    std::uint64_t found = 0;
    std::uint32_t life = 0;              // that answered last
    std::vector<std::uint64_t> answers;  // of that life, to each asker
    std::uint64_t rounds = 0;            // how often all of them have had enough
  };

  const settings set_;
  std::mutex guard_;
  std::map<std::string, figures> of_;
};

void check_number(std::uint32_t version, [[maybe_unused]] std::uint64_t number,
                  [[maybe_unused]] std::uint64_t wanted, const std::string& whose) {
  if (version < 1 || version > 2) say("wrong version " + std::to_string(version) + " in " + whose);
#if TROUPE_ROLLING_VERSION >= 2
  if (version < 2) wanted = not_said;
  if (number != wanted) {
    say("wrong number " + std::to_string(number) + " instead of " + std::to_string(wanted) + " in " + whose +
        " of version " + std::to_string(version));
  }
#endif
}

troupe::actor run_echo(troupe::self<echo> me, std::uint32_t life) {
  co_await me.serve([&](const question& q) {
    answer a;
    a.text = "<" + q.text + ">";
    a.version = own_version;
    a.life = life;
#if TROUPE_ROLLING_VERSION >= 2
    check_number(q.version, q.number, q.text.size(), "a question");
    a.number = 2 * a.text.size();
#endif
    return a;
  });
}

/// False, and says so, if the answer is not one to this question.
bool is_right(const question& q, const answer& a, std::uint32_t life_before) {
  if (a.text != "<" + q.text + ">") say("wrong answer " + a.text + " to " + q.text);
#if TROUPE_ROLLING_VERSION >= 2
  check_number(a.version, a.number, 2 * a.text.size(), "an answer");
#endif
  if (life_before == 0 || life_before == a.life) return true;
  say("wrong life " + std::to_string(a.life) + " answers for " + std::to_string(life_before));
  return false;
}

/// Asks until an ask fails or this actor is stopped; if `careful`, once.
troupe::task<void> ask_on(const troupe::self<troupe::protocol<>>& me, troupe::ref<echo> to, std::string peer,
                          unsigned asker, bool careful, std::shared_ptr<report> into) {
  std::uint32_t life = 0;
  for (std::uint64_t n = 0; !me.stopping() && !(careful && n > 0); ++n) {
    question q;
    q.text = peer + std::string(n % 50, '.');
    q.version = own_version;
#if TROUPE_ROLLING_VERSION >= 2
    q.number = q.text.size();
#endif
    const std::int64_t begun = now();
    const auto a = co_await to.ask<question>(q).within(20s);
    if (!a) {
      into->failed(peer, life, begun, a.error().text());
      co_return;
    }
    if (!is_right(q, *a, life)) co_return;
    life = a->life;
    into->answered(peer, asker, *a);
    if (!careful) co_await me.sleep(1ms);
  }
}

/// Its first one is careful: it looks up whom it asks each time.
troupe::actor run_asker(troupe::self<troupe::protocol<>> me, std::string peer, unsigned asker,
                        std::shared_ptr<report> into) {
  const std::string name = service_of(peer);
  while (!me.stopping()) {
    const auto found = co_await me.node().lookup<echo>(name).within(100ms);
    if (found) {
      into->found(peer);
      co_await ask_on(me, *found, peer, asker, asker == 0, into);
      co_await me.sleep(1ms);
    } else if (found.error() != troupe::errc::not_found) {
      say("wrong lookup: " + found.error().text());
      co_return;
    }
  }
}

troupe::actor run_joiner(troupe::self<troupe::protocol<>> me, std::string peer, std::string url) {
  const auto joined = co_await me.node().join(url);
  say(joined ? "joined " + peer : "wrong join: " + joined.error().text);
}

troupe::actor run_publisher(troupe::self<troupe::protocol<>> me, troupe::ref<echo> service) {
  const std::string name = service_of(me.node().name());
  const auto published = co_await me.node().publish(name, service);
  if (!published) say("wrong publish: " + published.error().text());
}

int live(const settings& set) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);  // for the node's threads, too

  troupe::node_options options;
  options.name = set.name;
  options.listen = {set.url};
  options.workers = 2;
  options.lanes = set.tcp ? troupe::lane_choice::tcp : troupe::lane_choice::automatic;
  options.join_deadline = 100s;
  options.stop_deadline = 30s;  // more than an ask may take
  options.lease = 60s;          // the machine may have no time for a node
  if (own_version < 2) options.wire_minor = 0;
  auto started = troupe::node::start(options);
  if (!started) {
    say("wrong start: " + started.error().text);
    return 1;
  }
  troupe::node node = std::move(*started);
  const auto into = std::make_shared<report>(set);
  node.spawn(run_publisher, node.spawn(run_echo, set.life));
  for (const auto& [peer, url] : set.peers) {
    if (url != "mesh") node.spawn(run_joiner, peer, url);
    for (unsigned asker = 0; asker < set.askers; ++asker) node.spawn(run_asker, peer, asker, into);
  }

  int signal = 0;
  ::sigwait(&ends, &signal);
  for (const troupe::link_info& l : node.links()) say("lane " + l.node + " " + l.lane);
  const bool in_time = node.stop();
  if (!in_time) say("wrong stop: " + node.overdue().front());
  const auto books = node.accounting();
  const bool balanced = books.balanced() && books.pending == 0;
  if (!balanced) say("wrong books: " + books.text());
  into->say_totals();
  if (in_time && balanced) say("ended");
  return in_time && balanced ? 0 : 1;
}

}  // namespace rolling

int main(int argc, char** argv) {
  if (argc < 9 || argc % 2 == 0) return 2;
  rolling::settings set;
  set.name = argv[1];
  set.life = static_cast<std::uint32_t>(std::atoi(argv[2]));
  set.url = argv[3];
  set.tcp = std::string(argv[4]) == "tcp";
  set.askers = static_cast<unsigned>(std::atoi(argv[5]));
  set.enough = static_cast<unsigned>(std::atoi(argv[6]));
  for (int i = 7; i < argc; i += 2) set.peers[argv[i]] = argv[i + 1];
  return rolling::live(set);
}
