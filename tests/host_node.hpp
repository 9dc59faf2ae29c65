// A node in a process of its own on a host of its own (demo/host_network.hpp). It pours numbered messages to other such nodes,
// counts what comes from them, and does what the test says, a line each:
//
//   the test says         | the node does                                               | and answers
//   join URL              | joins                                                       | joined
//   pour PEER             | sends to PEER from now on                                   | pouring PEER
//   watch PEER            | monitors the actor of PEER that takes messages              | watching PEER, down PEER KIND MILLISECONDS
//   more PEER COUNT       | waits until so many more have come from PEER                | more PEER
//   halt                  | ends what sends                                             | sent PEER COUNT for each
//   tally PEER            |                                                             | tally COME WRONG MISSING
//   links                 |                                                             | links TCP OTHER RESUMED
//   books                 | waits until nothing is under way                            | books SETTLED OUT IN UNKNOWN UNDELIVERED
//   end                   | stops the node                                              | ended CODE
#pragma once

#include "actor_support.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <deque>
#include <map>
#include <sstream>

#include <troupe/log.hpp>

#include "demo/host_network.hpp"
#include "process_load.hpp"

namespace host_test {

using namespace std::chrono_literals;
using process_load::checksum;
using troupe::actor;
using troupe::self;

struct parcel {
  std::string from;
  std::uint64_t number = 0;  // 1, 2, 3, … from each
  std::uint64_t sum = 0;     // of the text
  std::string text;
};
struct more {
  std::string from;
  std::uint64_t count = 0;
};
struct counts {
  std::uint64_t come = 0;
  std::uint64_t wrong = 0;    // twice, out of order or torn
  std::uint64_t missing = 0;  // numbers that were left out
};
struct tally {
  using reply = counts;
  std::string from;
};
using basin = troupe::protocol<parcel, more, tally>;
inline constexpr char basin_name[] = "basin";

// In the process of the node.

/// One write, so that lines of several threads do not mix.
inline void tell(int out, std::string line) {
  line += '\n';
  (void)!::write(out, line.data(), line.size());
}

inline actor run_basin(self<basin> me, int out) {
  struct flow : counts {
    std::uint64_t last = 0;
    std::uint64_t wanted = 0;  // tell when so many have come; 0: not
  };
  std::map<std::string, flow> flows;
  const auto published = co_await me.node().publish(basin_name, me.me());
  tell(out, published ? "open" : "failed to publish");
  co_await me.serve(
      [&](const parcel& p) {
        flow& f = flows[p.from];
        ++f.come;
        if (p.number <= f.last || checksum(p.text, p.number) != p.sum) {
          ++f.wrong;
        } else {
          f.missing += p.number - f.last - 1;
          f.last = p.number;
        }
        if (f.come == f.wanted) tell(out, "more " + p.from);
      },
      [&](const more& m) { flows[m.from].wanted = flows[m.from].come + m.count; },
      [&](const tally& t) -> counts { return flows[t.from]; });
}

/// Until `over`. While there is no session it tries again and again: a message that was refused was not sent.
inline actor run_pourer(self<troupe::protocol<>> me, std::string peer, int out,
                        std::shared_ptr<std::atomic<bool>> over) {
  const std::string name = std::string(basin_name) + "@" + peer;
  const auto to = co_await me.node().lookup<basin>(name).within(test::patience);
  if (!to) co_return tell(out, "failed to look up " + name);
  tell(out, "pouring " + peer);
  const std::string own = me.node().name();
  std::uint64_t number = 1;
  while (!over->load()) {
    // Some go in chunks, the rest many to a segment.
    const std::string text(number % 256 == 0 ? 90'000 : number * 37 % 700,
                           static_cast<char>('a' + number % 26));
    const std::uint64_t sum = checksum(text, number);
    const auto sent = co_await to->send<parcel>(own, number, sum, text);
    if (sent) ++number;
    if (!sent || number % 8 == 0) co_await me.sleep(sent ? 1ms : 20ms);
  }
  tell(out, "sent " + peer + " " + std::to_string(number - 1));
}

inline actor run_watcher(self<troupe::down> me, std::string peer, int out) {
  const std::string name = std::string(basin_name) + "@" + peer;
  const auto whom = co_await me.node().lookup<basin>(name).within(test::patience);
  if (!whom) co_return tell(out, "failed to look up " + name);
  me.monitor(*whom);
  tell(out, "watching " + peer);
  co_await me.serve([&](const troupe::down& d) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    tell(out, "down " + peer + " " + std::string(to_string(d.reason.kind)) + " " + std::to_string(now / 1ms));
  });
}

inline actor run_joiner(self<troupe::protocol<>> me, std::string url, int out) {
  const auto joined = co_await me.node().join(url);
  tell(out, joined ? "joined" : "failed to join: " + joined.error().text);
}

class resident {
 public:
  resident(troupe::node node, int out)
      : node_(std::move(node)), out_(out), basin_(node_.spawn(run_basin, out)) {}

  /// False: it was the last one.
  bool obey(const std::string& line) {
    std::istringstream words(line);
    std::string what;
    std::string whom;
    std::uint64_t count = 0;
    words >> what >> whom >> count;
    if (what == "join") node_.spawn(run_joiner, whom, out_);
    if (what == "pour") node_.spawn(run_pourer, whom, out_, over_);
    if (what == "watch") node_.spawn(run_watcher, whom, out_);
    if (what == "more") (void)basin_.blocking_send<more>(test::patience, whom, count);
    if (what == "halt") over_->store(true);
    if (what == "tally") tell_tally(whom);
    if (what == "links") tell_links();
    if (what == "books") tell_books();
    if (what == "end") tell(out_, node_.stop() && settled() ? "ended 0" : "ended 1");
    return what != "end";
  }

 private:
  void tell_tally(const std::string& whom) {
    const auto c = basin_.blocking_ask<tally>(test::patience, whom);
    if (!c) return tell(out_, "failed to count");
    tell(out_, "tally " + std::to_string(c->come) + " " + std::to_string(c->wrong) + " " +
                   std::to_string(c->missing));
  }
  void tell_links() {
    unsigned tcp = 0;
    unsigned other = 0;
    std::uint64_t resumed = 0;
    for (const troupe::link_info& l : node_.links()) {
      ++(l.lane == "tcp" ? tcp : other);
      resumed += l.resumed;
    }
    tell(out_, "links " + std::to_string(tcp) + " " + std::to_string(other) + " " + std::to_string(resumed));
  }
  bool settled() {
    return test::eventually([&] {
      const auto now = node_.accounting();
      return now.balanced() && now.pending == 0;
    });
  }
  void tell_books() {
    const bool so = settled();
    const auto now = node_.accounting();
    tell(out_, "books " + std::to_string(so) + " " + std::to_string(now.handed_over) + " " +
                   std::to_string(now.accepted_inbound) + " " + std::to_string(now.unknown) + " " +
                   std::to_string(now.undelivered_total()));
  }

  troupe::node node_;
  const int out_;
  troupe::ref<basin> basin_;
  const std::shared_ptr<std::atomic<bool>> over_ = std::make_shared<std::atomic<bool>>(false);
};

[[noreturn]] inline void live(const troupe::node_options& options, int in, int out) {
  troupe::set_log_sink([](troupe::log_level, std::string_view) {});  // lines for each end of a link
  auto node = troupe::node::start(options);
  if (!node) {
    tell(out, "failed to start: " + node.error().text);
    ::_exit(1);
  }
  tell(out, "at " + node->endpoints()[0]);
  resident here(std::move(*node), out);
  std::string line;
  for (char c = 0; ::read(in, &c, 1) == 1;) {
    if (c != '\n') {
      line += c;
    } else if (!here.obey(std::exchange(line, {}))) {
      ::_exit(0);
    }
  }
  ::_exit(2);  // the test has ended without a word
}

// In the test. Make all of them before the test starts a thread.

class host_node {
 public:
  host_node(const demo::host_network& network, const troupe::node_options& options) : name(options.name) {
    std::array<int, 2> in;
    std::array<int, 2> out;
    REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      std::signal(SIGABRT, SIG_DFL);
      ::close(in[1]);
      ::close(out[0]);
      if (::setns(network.space(name), CLONE_NEWNET) != 0) ::_exit(3);
      live(options, in[0], out[1]);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
    REQUIRE(pid_ > 0);
    url = hear("at");
    hear("open");
  }
  host_node(const host_node&) = delete;
  host_node& operator=(const host_node&) = delete;
  ~host_node() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(to_);
    ::close(from_);
  }

  void say(const std::string& line) const {
    const std::string all = line + "\n";
    REQUIRE(::write(to_, all.data(), all.size()) == static_cast<ssize_t>(all.size()));
  }
  /// The rest of the next line that begins with this word. A line "failed …" fails the test.
  std::string hear(const std::string& word) {
    const auto until = std::chrono::steady_clock::now() + 3 * test::patience;
    for (;;) {
      for (auto line = heard_.begin(); line != heard_.end(); ++line) {
        if (line->substr(0, line->find(' ')) != word) continue;
        const std::string rest = line->size() > word.size() ? line->substr(word.size() + 1) : "";
        heard_.erase(line);
        return rest;
      }
      INFO(name << " did not say \"" << word
                << "\"; it said last: " << (heard_.empty() ? "" : heard_.back()));
      REQUIRE(std::chrono::steady_clock::now() < until);
      read_on(100);
    }
  }
  template <std::size_t N>
  std::array<std::uint64_t, N> numbers(const std::string& question) {
    say(question);
    std::istringstream words(hear(question.substr(0, question.find(' '))));
    std::array<std::uint64_t, N> all{};
    for (std::uint64_t& n : all) words >> n;
    return all;
  }
  /// How many lines with this word were said and not heard yet.
  std::size_t unheard(const std::string& word) {
    read_on(0);
    std::size_t count = 0;
    for (const std::string& line : heard_) count += line.starts_with(word + " ");
    return count;
  }
  /// Whether its process ended as it should.
  bool end() {
    say("end");
    const bool stopped = hear("ended") == "0";
    int status = -1;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return stopped && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  const std::string name;
  std::string url;

 private:
  void read_on(int milliseconds) {
    pollfd one{from_, POLLIN, 0};
    if (::poll(&one, 1, milliseconds) <= 0) return;
    std::array<char, 4096> block;
    const ssize_t size = ::read(from_, block.data(), block.size());
    INFO(name << " has ended");
    REQUIRE(size > 0);
    for (const char c : std::string_view(block.data(), static_cast<std::size_t>(size))) {
      if (c != '\n') {
        part_ += c;
        continue;
      }
      INFO(name << " " << part_);
      REQUIRE_FALSE(part_.starts_with("failed"));
      heard_.push_back(std::exchange(part_, {}));
    }
  }

  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string part_;
  std::deque<std::string> heard_;
};

}  // namespace host_test
