// A rolling restart: three nodes in processes of their own that ask each other all the time, restarted one after the other,
// each time as the other of two versions of the program (rolling_node.cpp). No ask fails but those to the node that stops.
#include "catch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "demo/process.hpp"

using namespace std::chrono_literals;

namespace {

constexpr unsigned count = 3;
constexpr unsigned askers = 3;    // of each node, for each other one
constexpr unsigned enough = 100;  // answers to each of them, before the next restart

std::int64_t now() { return std::chrono::steady_clock::now().time_since_epoch() / 1ns; }

/// A port of 127.0.0.1 that nobody else is given: it stays bound, but only who means this port listens there.
class kept_port {
 public:
  kept_port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    const bool bound = ::bind(socket_, address, size) == 0 && ::getsockname(socket_, address, &size) == 0;
    REQUIRE(bound);
    number_ = ntohs(at.sin_port);
  }
  kept_port(const kept_port&) = delete;
  kept_port& operator=(const kept_port&) = delete;
  ~kept_port() { ::close(socket_); }

  std::string url() const { return "tcp://127.0.0.1:" + std::to_string(number_); }

 private:
  int socket_;
  std::uint16_t number_ = 0;
};

/// The nodes, and what they say. Each process of a node is one of its lives: 1, 2, 3, …
class cluster {
 public:
  explicit cluster(std::string lanes) : lanes_(std::move(lanes)) {}

  /// `by_mesh`: it joins one of the others only, which tells it of the third.
  void start(unsigned i, unsigned version, bool by_mesh = false) {
    member& m = members_[i];
    m.lives.push_back({.version = version});
    m.now = {};
    std::vector<std::string> arguments{name(i), std::to_string(m.lives.size()), m.port.url(),
                                       lanes_,  std::to_string(askers),         std::to_string(enough)};
    for (unsigned other = 0; other < count; ++other) {
      if (other == i) continue;
      arguments.push_back(name(other));
      const bool joins = !by_mesh || other == (i + 1) % count;
      arguments.push_back(joins ? members_[other].port.url() : "mesh");
      m.now.joined[other] = !joins;
    }
    const auto started = running_.start(name(i), TROUPE_ROLLING_NODE + std::to_string(version), arguments);
    REQUIRE(started.has_value());
  }

  /// Until every asker of each node has had enough answers of the present life of each other one, from now on.
  void wait_for_all() {
    for (member& m : members_) m.now.content = {};
    until([&] { return waits_for().empty(); });
  }

  /// An orderly end.
  void end(unsigned i) {
    member& m = members_[i];
    m.lives.back().told = now();
    running_.signal(name(i), SIGTERM);
    until([&] { return m.now.over; });
    INFO(name(i) << ": " << running_.complaints(name(i)));
    CHECK(m.now.code == 0);
    CHECK(m.now.balanced);
    for (unsigned to = 0; to < count; ++to) {
      if (to == i) continue;
      const totals& t = m.now.with[to];
      INFO(name(i) << " asked " << name(to));
      CHECK(t.ok >= std::uint64_t{askers} * enough);
      CHECK(t.failed <= std::uint64_t{askers} * m.now.lives_asked[to]);
      CHECK(t.found >= std::uint64_t{askers} * m.now.lives_asked[to]);
      all_.ok += t.ok;
      all_.failed += t.failed;
    }
  }
  void restart(unsigned i, unsigned version, bool by_mesh = false) {
    end(i);
    start(i, version, by_mesh);
    wait_for_all();
  }
  void check() const {
    CHECK(all_.failed <= excused_);
    // Who looks up whom it asks each time may find a node in the last moment before that stops, once. If nodes did not withdraw
    // their names first, it would be found again and again.
    CHECK(found_in_vain_ <= 2 * 3 * count);
  }
  std::string text() const {
    std::string all = std::to_string(all_.ok) + " answers, " + std::to_string(excused_) + " asks failed, " +
                      std::to_string(found_in_vain_) + " of them just after a lookup";
    for (const auto& [why, times] : reasons_) all += "; " + std::to_string(times) + " " + why;
    return all;
  }

 private:
  struct life {
    unsigned version = 0;
    std::int64_t told = 0;                       // to stop; 0: not yet
    std::array<std::int64_t, count> replaced{};  // when that node had said that the next life has answered
  };
  struct totals {
    std::uint64_t ok = 0;
    std::uint64_t failed = 0;
    std::uint64_t found = 0;
  };
  /// The present life of a node.
  struct process {
    bool over = false;
    int code = -1;
    bool balanced = false;
    std::array<bool, count> joined{};
    std::array<bool, count> content{};  // with the answers of that node
    std::array<unsigned, count> lives_asked{};
    std::array<std::map<std::size_t, unsigned>, count> failed{};  // by life
    std::array<totals, count> with{};
  };
  struct member {
    kept_port port;
    std::vector<life> lives;
    process now;
  };

  static std::string name(unsigned i) { return "n" + std::to_string(i); }

  std::string waits_for() const {
    std::string all;
    for (unsigned from = 0; from < count; ++from) {
      const process& p = members_[from].now;
      for (unsigned to = 0; to < count; ++to) {
        if (from == to || (p.joined[to] && p.content[to])) continue;
        all += " " + name(from) + (p.joined[to] ? " to hear enough from " : " to join ") + name(to);
      }
    }
    return all;
  }

  template <class Condition>
  void until(Condition holds) {
    while (!holds()) {
      INFO(lanes_ << ", waits for: " << waits_for() << "; last said: " << last_);
      const std::int64_t left = last_moment_ - now();
      REQUIRE(left > 0);
      const demo::event e = running_.wait(left * 1ns);
      REQUIRE(e.what != demo::event::kind::interrupted);
      if (e.what == demo::event::kind::timeout) continue;
      const auto from = static_cast<unsigned>(e.from.back() - '0');
      process& p = members_[from].now;
      if (e.what == demo::event::kind::ended) {
        p.over = true;
        p.code = e.code;
        if (members_[from].lives.back().told == 0) breach_ = e.from + " has " + e.text;
      } else {
        last_ = e.from + " " + e.text;
        hear(from, p, e.text);
      }
      REQUIRE(breach_ == "");
    }
  }

  void hear(unsigned from, process& p, const std::string& line) {
    std::istringstream words(line);
    std::string what;
    std::string peer;
    words >> what >> peer;
    if (what == "ended") {
      p.balanced = true;
      return;
    }
    const bool known = peer.size() == 2 && peer[0] == 'n' && peer[1] >= '0' && peer[1] < '0' + int{count};
    if (what == "wrong" || !known) return breaks(from, line);
    const auto to = static_cast<unsigned>(peer[1] - '0');
    if (what == "joined") p.joined[to] = true;
    if (what == "reached") reached(from, p, to, words);
    if (what == "enough") {
      std::size_t number = 0;
      words >> number;
      p.content[to] = p.content[to] || number == members_[to].lives.size();
    }
    if (what == "failed" && !is_excused(from, p, to, words)) breaks(from, line);
    if (what == "total") words >> p.with[to].ok >> p.with[to].failed >> p.with[to].found;
    if (what == "lane") {
      std::string lane;
      words >> lane;
      // Of those that began at the same time one may have dialled the other just before that had its local socket, and version
      // 1 does not move to memory. "none": it has gone.
      const bool first = members_[from].lives.size() == 1 && members_[to].lives.size() == 1;
      const bool so = lane == "none" || lane == (lanes_ == "tcp" ? "tcp" : "shm") || (first && lane == "tcp");
      if (!so) breaks(from, line);
    }
  }
  void breaks(unsigned from, const std::string& line) { breach_ = name(from) + " " + line; }
  void reached(unsigned from, process& p, unsigned to, std::istringstream& words) {
    std::size_t number = 0;
    unsigned version = 0;
    words >> number >> version;
    ++p.lives_asked[to];
    auto& lives = members_[to].lives;
    const bool present = number == lives.size() && lives.back().version == version;
    if (!present) breaks(from, "reached an unknown life of " + name(to));
    if (present && number > 1) lives[number - 2].replaced[from] = now();
  }

  /// Whether the target had been told to stop when the ask failed, and was then the one that was asked; once for each asker.
  bool is_excused(unsigned from, process& p, unsigned to, std::istringstream& words) {
    std::size_t number = 0;
    std::int64_t begun = 0;
    std::int64_t ended = 0;
    std::string why;
    words >> number >> begun >> ended;
    std::getline(words >> std::ws, why);
    ++excused_;
    ++reasons_[why];
    if (why.starts_with("expired")) return false;  // nobody has to wait for that long
    const std::vector<life>& lives = members_[to].lives;
    const auto stopped = [&](const life& l) { return l.told != 0 && l.told <= ended; };
    if (number == 0) {  // it was found just before
      ++found_in_vain_;
      const auto of_that_time = [&](const life& l) {
        return stopped(l) && (l.replaced[from] == 0 || begun <= l.replaced[from]);
      };
      return std::any_of(lives.begin(), lives.end(), of_that_time);
    }
    return number <= lives.size() && stopped(lives[number - 1]) && ++p.failed[to][number] <= askers;
  }

  const std::string lanes_;
  std::array<member, count> members_;
  demo::processes running_{false};
  // Before ctest ends the test, which would not say what it waits for.
  const std::int64_t last_moment_ = now() + (TROUPE_TEST_SLOWDOWN > 1 ? 170s : 50s) / 1ns;
  std::string last_;
  std::string breach_;  // what must not happen, once it has
  totals all_;
  std::uint64_t excused_ = 0;
  std::uint64_t found_in_vain_ = 0;
  std::map<std::string, unsigned> reasons_;
};

void roll(const std::string& lanes) {
  cluster nodes(lanes);
  for (unsigned i = 0; i < count; ++i) nodes.start(i, 1);
  nodes.wait_for_all();
  for (unsigned i = 0; i < count; ++i) nodes.restart(i, 2);
  for (unsigned i = 0; i < count; ++i) nodes.restart(i, i == 1 ? 1 : 2, i == 2);  // one goes back
  for (unsigned i = 0; i < count; ++i) nodes.end(i);
  INFO(lanes << ": " << nodes.text());
  nodes.check();
}

}  // namespace

TEST_CASE("rolling restart of three nodes, with mixed versions, under load: shared memory") { roll("auto"); }
TEST_CASE("rolling restart of three nodes, with mixed versions, under load: tcp") { roll("tcp"); }
