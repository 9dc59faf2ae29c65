// Three nodes on three hosts (network namespaces), each linked with both others over the kernel's own TCP, plain and over TLS, all
// pouring numbered messages to all, while connections are broken, packets dropped and resets sent between them. As long as no
// cut outlasts the lease nothing is lost, doubled or out of order, and the books of the three agree to the message. TROUPE_CUTS says
// how many cuts; 60 otherwise. TROUPE_SEED repeats what was drawn, though not when it hits.
#include "host_node.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <list>
#include <random>

#include "demo/key_folder.hpp"

using namespace host_test;
using demo::host_network;
using demo::key_folder;
using test::patience;

namespace {

const std::vector<std::string> names{"a", "b", "c"};
constexpr auto long_lease = 30s;  // longer than a busy machine holds a process up
constexpr auto short_lease = 3s * (slowdown > 1 ? 2 : 1);

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// Null where this process may not make any; a line says so.
std::unique_ptr<host_network> three_hosts() {
  auto made = host_network::make(names);
  if (made) return std::move(*made);
  std::printf("SKIPPED: %s\n", made.error().text.c_str());
  SUCCEED();
  return nullptr;
}

// What can go wrong between two hosts.

enum class fault : std::uint8_t {
  broken,          // the connection, and both sides are told
  broken_unheard,  // one side is told, the other hears nothing for a while
  drop,            // all packets
  drop_one_way,
  reset,  // whatever belongs to a connection is answered with a reset; new ones may begin
};

class faults {
 public:
  explicit faults(const host_network& network) : network_(network) {
    const bool breaks = can_break();
    const bool filters = network_.run("a", {"nft", "list", "ruleset"});
    if (breaks) kinds_.push_back(fault::broken);
    if (filters) kinds_.insert(kinds_.end(), {fault::drop, fault::drop_one_way, fault::reset});
    if (breaks && filters) kinds_.push_back(fault::broken_unheard);
    if (!breaks) std::printf("no connections are broken: ss --kill needs CONFIG_INET_DIAG_DESTROY\n");
    if (!filters)
      std::printf("no packets are dropped and no resets sent: this needs nft (package nftables)\n");
    if (kinds_.empty()) std::printf("SKIPPED: nothing here can cut a connection\n");
  }

  const std::vector<fault>& kinds() const { return kinds_; }
  bool filters() const { return std::ranges::find(kinds_, fault::drop) != kinds_.end(); }

  void begin(fault what, const std::string& at, const std::string& other) const {
    if (what == fault::drop || what == fault::broken_unheard) filter(at, other, "drop", true);
    if (what == fault::drop_one_way) filter(at, other, "drop", false);
    if (what == fault::reset)
      filter(at, other, "tcp flags & (syn | rst) == 0x0 reject with tcp reset", false);
    if (what == fault::broken || what == fault::broken_unheard)
      REQUIRE(network_.break_connections(at, other));
  }
  void end(fault what, const std::string& at) const {
    if (what != fault::broken) REQUIRE(network_.run(at, {"nft", "delete table inet cut"}));
  }

 private:
  void filter(const std::string& at, const std::string& other, const std::string& does,
              bool both_ways) const {
    const std::string there = network_.address(other) + " " + does + "; ";
    REQUIRE(network_.run(
        at,
        {"nft",
         "add table inet cut; add chain inet cut in { type filter hook input priority 0; }; "
         "add chain inet cut out { type filter hook output priority 0; }; add rule inet cut in ip saddr " +
             there + (both_ways ? "add rule inet cut out ip daddr " + there : "")}));
  }

  /// Tries it on a connection of our own.
  bool can_break() const {
    const auto make = [] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); };
    sockaddr_in at{};
    at.sin_family = AF_INET;
    REQUIRE(::inet_pton(AF_INET, network_.address("a").c_str(), &at.sin_addr) == 1);
    socklen_t size = sizeof at;
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    const int listening = network_.visit("a", make);
    const int dialled = network_.visit("b", make);
    bool broken = ::bind(listening, address, size) == 0 && ::listen(listening, 1) == 0 &&
                  ::getsockname(listening, address, &size) == 0 && ::connect(dialled, address, size) == 0;
    const int accepted = broken ? ::accept(listening, nullptr, nullptr) : -1;
    broken = broken && network_.break_connections("a", "b");
    char byte = 0;
    broken = broken && ::recv(accepted, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNABORTED;
    for (const int fd : {listening, dialled, accepted}) ::close(fd);
    return broken;
  }

  const host_network& network_;
  std::vector<fault> kinds_;
};

// The nodes.

struct trio {
  trio(const host_network& network, bool tls, troupe::duration lease) {
    if (tls) keys = key_folder::make(names).value();
    for (const std::string& name : names) {
      troupe::node_options o;
      o.name = name;
      o.listen = {"tcp://" + network.address(name) + ":0"};
      o.workers = 2;
      o.lease = lease;
      o.plaintext = !tls;
      if (tls) o.key = keys->key(name);
      if (tls) o.peers = keys->peers();
      if (name == "b") o.io = troupe::io_backend::asio;
      nodes.emplace_back(network, o);
    }
    join("b", "a");
    join("c", "a");
    join("c", "b");
    each_pair([&](host_node& from, host_node& to) {
      from.say("pour " + to.name);
      from.hear("pouring");
    });
  }
  void join(const std::string& from, const std::string& to) {
    (*this)[from].say("join " + (*this)[to].url);
    (*this)[from].hear("joined");
  }
  host_node& operator[](const std::string& name) {
    return *std::ranges::find(nodes, name, [](const host_node& n) { return n.name; });
  }
  template <class F>
  void each_pair(F f) {
    for (host_node& from : nodes) {
      for (host_node& to : nodes) {
        if (&from != &to) f(from, to);
      }
    }
  }
  /// Until so many more messages of `from` have come to `to`.
  void await(const std::string& from, const std::string& to, std::uint64_t count) {
    (*this)[to].say("more " + from + " " + std::to_string(count));
    CHECK((*this)[to].hear("more") == from);
  }

  std::unique_ptr<key_folder> keys;
  std::list<host_node> nodes;
};

struct totals {
  std::uint64_t sent = 0;
  std::uint64_t come = 0;
  std::uint64_t resumed = 0;
  std::uint64_t out = 0;  // by the books
  std::uint64_t in = 0;
  std::uint64_t unknown = 0;
  std::uint64_t undelivered = 0;
};

/// Ends what is poured and checks what must hold whatever has happened: each message came at most once, in order and whole; what is
/// missing is in the books of its sender; and every node's books balance with nothing pending.
totals finish(trio& t) {
  totals all;
  for (host_node& n : t.nodes) n.say("halt");
  std::map<std::string, std::uint64_t> lost;  // by who sent it
  t.each_pair([&](host_node& from, host_node&) {
    std::istringstream words(from.hear("sent"));
    std::string peer;
    std::uint64_t count = 0;
    words >> peer >> count;
    all.sent += count;
    lost[from.name] += count;
  });
  for (host_node& n : t.nodes) {
    const auto [settled, out, in, unknown, undelivered] = n.numbers<5>("books");
    CHECK(settled == 1);
    const auto [tcp, other, resumed] = n.numbers<3>("links");
    CHECK(tcp == 2);
    CHECK(other == 0);
    all.resumed += resumed;
    all.unknown += unknown;
    all.undelivered += undelivered;
  }
  t.each_pair([&](host_node& from, host_node& to) {
    const auto [come, wrong, missing] = to.numbers<3>("tally " + from.name);
    INFO(from.name << " to " << to.name);
    CHECK(wrong == 0);
    CHECK(come > 0);
    all.come += come;
    lost[from.name] -= come;
  });
  for (host_node& n : t.nodes) {
    const auto [settled, out, in, unknown, undelivered] = n.numbers<5>("books");
    INFO(n.name << " has lost " << lost[n.name] << ", unknown " << unknown << ", undelivered "
                << undelivered);
    CHECK(settled == 1);
    CHECK(lost[n.name] <= unknown + undelivered);
    all.out += out;
    all.in += in;
  }
  for (host_node& n : t.nodes) CHECK(n.end());
  return all;
}

void cut_at_random(bool tls) {
  const auto network = three_hosts();
  if (!network) return;
  const faults can(*network);
  SUCCEED();  // also where nothing can be cut
  if (can.kinds().empty()) return;
  const std::uint64_t cuts = number_of("TROUPE_CUTS", 60);
  const std::uint64_t seed = number_of("TROUPE_SEED", std::random_device()());
  std::mt19937_64 chance(seed);
  INFO("TROUPE_SEED=" << seed << " TROUPE_CUTS=" << cuts);
  trio t(*network, tls, long_lease);
  const auto began = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < cuts; ++i) {
    std::vector<std::string> who = names;
    std::ranges::shuffle(who, chance);
    // Now and then one side is told and dials into the void: that takes the kernel a second to find out.
    fault what = can.kinds()[chance() % can.kinds().size()];
    if (what == fault::broken_unheard && chance() % 3 != 0) what = fault::broken;
    INFO("cut " << i << " of kind " << static_cast<int>(what) << " at " << who[0] << " from " << who[1]);
    can.begin(what, who[0], who[1]);
    // As long as others take for some messages.
    if (what != fault::broken) t.await(who[0], who[2], 1 + chance() % 200);
    can.end(what, who[0]);
    if (chance() % 4 == 0) continue;  // the next one may hit what is just being mended
    t.await(who[0], who[1], 30);
    t.await(who[1], who[0], 30);
  }
  t.each_pair([&](host_node& from, host_node& to) { t.await(from.name, to.name, 100); });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const totals all = finish(t);
  CHECK(all.come == all.sent);
  CHECK(all.unknown == 0);
  CHECK(all.undelivered == 0);
  CHECK(all.in == all.out);
  CHECK(all.resumed > 0);
  std::printf(
      "%s, TROUPE_SEED=%llu: %llu cuts in %.1f s, links went on over another connection %llu times (each "
      "counted on both sides): %llu of %llu "
      "messages came, none twice or out of order\n",
      tls ? "TLS" : "plain", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(cuts),
      took.count(), static_cast<unsigned long long>(all.resumed), static_cast<unsigned long long>(all.come),
      static_cast<unsigned long long>(all.sent));
}

/// Cuts hosts off from each other, silently, until every one of them has noticed; then all goes on. How long the first one took to
/// notice: a machine that is busy with other things may hold up any.
std::chrono::milliseconds cut_off_for_long(trio& t,
                                           const std::vector<std::pair<std::string, std::string>>& links,
                                           const std::function<void()>& cut,
                                           const std::function<void()>& mend) {
  std::vector<std::pair<std::string, std::string>> sides = links;
  for (const auto& [x, y] : links) sides.emplace_back(y, x);
  for (const auto& [x, y] : sides) {
    t[x].say("watch " + y);
    CHECK(t[x].hear("watching") == y);
  }
  cut();
  const auto began = std::chrono::steady_clock::now();
  std::map<std::string, unsigned> told;
  std::chrono::milliseconds first = std::chrono::milliseconds::max();
  std::chrono::milliseconds last{};
  for (const auto& [x, y] : sides) {
    std::istringstream words(t[x].hear("down"));
    std::string peer;
    std::string kind;
    std::int64_t at = 0;
    words >> peer >> kind >> at;
    CHECK(kind == "unreachable");
    ++told[x + " of " + peer];
    const auto after = std::chrono::milliseconds(at) -
                       std::chrono::floor<std::chrono::milliseconds>(began.time_since_epoch());
    last = std::max(last, after);
    first = std::min(first, after);
  }
  mend();
  for (const auto& [x, y] : sides) CHECK(told[x + " of " + y] == 1);
  CHECK(last < short_lease + patience);
  for (const auto& [x, y] : sides) t.await(x, y, 100);
  const std::chrono::duration<double> back = std::chrono::steady_clock::now() - began;
  std::printf("%zu links cut off: all DOWN after %.1f s (lease %.0f s), messages again after %.1f s\n",
              links.size(), std::chrono::duration<double>(last).count(),
              std::chrono::duration<double>(short_lease).count(), back.count());
  for (host_node& n : t.nodes) CHECK(n.unheard("down") == 0);
  return first;
}

void cut_off_all(bool tls) {
  const auto network = three_hosts();
  if (!network) return;
  const faults can(*network);
  trio t(*network, tls, short_lease);
  auto first = cut_off_for_long(
      t, {{"c", "a"}, {"c", "b"}}, [&] { REQUIRE(network->set_link("c", false)); },
      [&] { REQUIRE(network->set_link("c", true)); });
  // One way: what b says is lost, and it hears a until a gives the link up.
  for (const fault what : {fault::drop, fault::drop_one_way}) {
    if (!can.filters()) continue;
    first = std::min(
        first,
        cut_off_for_long(t, {{"a", "b"}}, [&] { can.begin(what, "a", "b"); }, [&] { can.end(what, "a"); }));
  }
  CHECK(first < short_lease + short_lease / 5 + 1s);  // it looks five times in a lease
  const totals all = finish(t);
  CHECK(all.out <= all.in);
  CHECK(all.in <= all.out + all.unknown);
  std::printf("%s: %llu of %llu messages came, %llu in doubt\n", tls ? "TLS" : "plain",
              static_cast<unsigned long long>(all.come), static_cast<unsigned long long>(all.sent),
              static_cast<unsigned long long>(all.unknown));
}

}  // namespace

TEST_CASE("hosts: cuts at random lose, double and disorder nothing, plain", "[netns]") {
  cut_at_random(false);
}

TEST_CASE("hosts: cuts at random lose, double and disorder nothing, over TLS", "[netns]") {
  cut_at_random(true);
}

TEST_CASE("hosts: who is cut off longer than the lease is DOWN once a side and comes back, plain",
          "[netns]") {
  cut_off_all(false);
}

TEST_CASE("hosts: who is cut off longer than the lease is DOWN once a side and comes back, over TLS",
          "[netns]") {
  cut_off_all(true);
}
