// Processes that are killed at random under load: a node sends three children messages, bulks and asks, and takes messages and bulks from
// them, while each is killed again and again with SIGKILL and started anew (run_service). Nothing is torn, doubled or out of order,
// nothing gets stuck, and no descriptor, memory or process is left. TROUPE_KILLS says how many times; 24 otherwise.
#include <troupe/log.hpp>
#include <troupe/run_process.hpp>

#include "process_kit.hpp"
#include "process_load.hpp"
#include "remote_support.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

using namespace test;
using namespace process_load;
using troupe::down;
using troupe::restart_on_failure;
using troupe::run_service;
using nothing = troupe::protocol<>;

namespace {

constexpr unsigned children = 3;
constexpr std::uint64_t shared_memory = std::uint64_t{64} << 20;

/// What the process has of what a link leaves behind if something is forgotten.
struct belongings {
  std::size_t descriptors = 0;
  std::size_t segments = 0;  // mapped
  std::size_t files = 0;     // in /dev/shm
  bool operator==(const belongings&) const = default;

  static belongings now() {
    belongings b;
    const auto count = [](const char* folder) {
      std::size_t n = 0;
      for (const auto& entry : std::filesystem::directory_iterator(folder)) n += entry.path().empty() ? 0 : 1;
      return n;
    };
    b.descriptors = count("/proc/self/fd");
    b.files = count("/dev/shm");
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
      b.segments += line.find("memfd:troupe") != std::string::npos;
    return b;
  }
};

/// A file that all lives of a child map, and the test.
class ledger_file {
 public:
  explicit ledger_file(const std::string& name)
      : path(std::filesystem::temp_directory_path() / (name + "-" + std::to_string(::getpid()))) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(::ftruncate(file, sizeof(ledger)) == 0);
    void* const at = ::mmap(nullptr, sizeof(ledger), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    REQUIRE(at != MAP_FAILED);
    book = new (at) ledger;
  }
  ledger_file(const ledger_file&) = delete;
  ledger_file& operator=(const ledger_file&) = delete;
  ~ledger_file() {
    ::munmap(static_cast<void*>(book), sizeof(ledger));
    std::filesystem::remove(path);
  }

  const std::filesystem::path path;
  ledger* book = nullptr;
};

/// What the test has seen. Its actors write, from several workers.
struct findings {
  std::atomic<std::uint64_t> wrong_drops{0};
  std::atomic<std::uint64_t> wrong_answers{0};
  std::atomic<std::uint64_t> drops{0};
  std::atomic<std::uint64_t> bulks{0};  // among them
  std::atomic<std::uint64_t> answers{0};
  std::atomic<bool> over{false};
  std::mutex guard;
  std::vector<std::chrono::nanoseconds> notices;  // from kill to DOWN
  const book done = new_book();                   // what each killer says at its end
  const book other_ends = new_book();             // of links, than by a kill or a goodbye
};
using shared_findings = std::shared_ptr<findings>;

actor run_items(self<nothing> me, ref<service> to, unsigned seed, shared_findings all) {
  std::minstd_rand chance(seed);
  for (std::uint64_t number = 1; !all->over.load(); ++number) {
    const std::string text(chance() % (number % 64 == 0 ? 90'000 : 1500),
                           static_cast<char>('a' + number % 26));
    const auto sent = co_await to.send<item>(number, checksum(text, number), text);
    must(sent.has_value());
    if (number % 16 == 0) co_await me.sleep(200us);
  }
}

actor run_sheets(self<nothing> me, ref<service> to, unsigned seed, shared_findings all) {
  std::minstd_rand chance(seed);
  for (std::uint64_t number = 1; !all->over.load();) {
    auto buffer = me.loan(32 * 1024 + chance() % (1 << 20));
    if (buffer) {
      std::ranges::fill(buffer->bytes(), static_cast<std::byte>(number));
      const std::uint64_t sum = checksum(buffer->bytes(), number);
      const troupe::bulk bytes = std::move(*buffer).seal();
      const auto sent = co_await to.send<sheet>(number, sum, bytes);
      must(sent.has_value());
      ++number;
    }
    co_await me.sleep(2ms);
  }
}

actor run_questions(self<nothing> me, ref<service> to, shared_findings all) {
  for (std::uint64_t number = 1; !all->over.load(); ++number) {
    const std::string text(100 + number % 50, static_cast<char>('a' + number % 26));
    const auto got = co_await to.ask<question>(number, text).within(patience);
    if (got) {
      const bool right = got->number == number && got->sum == checksum(text, number);
      (right ? all->answers : all->wrong_answers).fetch_add(1);
    } else if (got.error() == errc::expired) {
      all->wrong_answers.fetch_add(1);
    }
    co_await me.sleep(300us);
  }
}

/// Takes what the children pour, each life its own numbers from 1 on.
actor run_basin(self<drop> me, shared_findings all) {
  std::map<std::int32_t, std::uint64_t> last;
  co_await me.serve([&](const drop& d) {
    std::uint64_t sum = checksum(d.text, d.number);
    if (!d.bytes.empty()) {
      sum = checksum(d.bytes.trusted_bytes(), sum);
      all->bulks.fetch_add(1);
    }
    if (sum != d.sum || ++last[d.pid] != d.number) all->wrong_drops.fetch_add(1);
    all->drops.fetch_add(1);
  });
}

/// Kills one child again and again. Each time it waits until the child serves, and then up to 40 ms. `basin`: where the child pours, if at all.
actor run_killer(self<down> me, std::string name, ref<drop> basin, unsigned kills, shared_findings all) {
  std::minstd_rand chance(kills + static_cast<unsigned>(name.back()));
  while (kills != 0) {
    const auto there = co_await me.node().lookup<service>(name).within(patience);
    if (!there) co_return all->done->add("no new life");
    me.monitor(*there);
    if (basin) (void)co_await there->send<pour>(basin);
    const auto who = co_await there->ask<question>(0, "who").within(patience);
    if (who) {
      co_await me.sleep(std::chrono::microseconds(chance() % 40'000));
      --kills;
    } else if (who.error() == errc::expired) {
      co_return all->done->add("no answer");
    }
    const auto from = std::chrono::steady_clock::now();
    if (who) ::kill(who->pid, SIGKILL);
    bool heard = false;
    while (!heard) {
      const auto d = co_await me.receive<down>().within(patience);
      if (!d) co_return all->done->add("no DOWN");
      heard = d->actor == *there;
    }
    if (!who) continue;  // it has ended itself
    const std::lock_guard lock(all->guard);
    all->notices.push_back(std::chrono::steady_clock::now() - from);
  }
  all->done->add("as often as wanted");
}

troupe::node_options patient() {
  return {
      .shared_memory = shared_memory,
      .supervision = {
          .most_restarts = 65'536, .within = std::chrono::hours(1), .backoff = {.first = 1ms, .most = 10ms}}};
}

ref<service> spawn_load(troupe::node& node, const std::string& name, const ledger_file& book) {
  troupe::program what;
  what.path = TROUPE_PROCESS_CHILD;
  what.arguments = {"load"};
  what.environment = {std::string(name_variable) + "=" + name,
                      std::string(ledger_variable) + "=" + book.path.string()};
  what.out = what.err = troupe::stdio::null;
  return node.spawn(restart_on_failure(run_service<service>), what, name);
}

unsigned kills_wanted() {
  const char* const text = std::getenv("TROUPE_KILLS");
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : 24;
}

double ms(std::chrono::nanoseconds d) { return static_cast<double>(d.count()) / 1e6; }

/// The same without us: how long the kernel takes to tell of the death of a process that is a copy of this one.
std::chrono::nanoseconds raw_notice() {
  const pid_t child = ::fork();
  if (child == 0) stay();
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  const auto from = std::chrono::steady_clock::now();
  ::kill(child, SIGKILL);
  pollfd one{pidfd, POLLIN, 0};
  (void)::poll(&one, 1, -1);
  const auto notice = std::chrono::steady_clock::now() - from;
  ::close(pidfd);
  ::waitpid(child, nullptr, 0);
  return notice;
}

std::chrono::nanoseconds median_of(const char* what, std::vector<std::chrono::nanoseconds>& all) {
  std::ranges::sort(all);
  const auto median = all[all.size() / 2];
  std::printf("%s after %.2f ms (median), %.2f ms (99 of 100), %.2f ms (worst)\n", what, ms(median),
              ms(all[all.size() * 99 / 100]), ms(all.back()));
  return median;
}

}  // namespace

TEST_CASE("kills: processes that are killed at random under load tear, double and leave nothing") {
  const unsigned each = (kills_wanted() + children - 1) / children;
  const belongings before = belongings::now();
  const auto all = std::make_shared<findings>();
  std::vector<std::unique_ptr<ledger_file>> ledgers;
  for (unsigned i = 0; i < children; ++i)
    ledgers.push_back(std::make_unique<ledger_file>("troupe-ledger-" + std::to_string(i)));
  troupe::set_log_sink([all](troupe::log_level, std::string_view line) {  // which has lines for each restart
    const auto says = [line](std::string_view what) { return line.find(what) != std::string_view::npos; };
    if (says("has ended") && !says("the peer's process has ended") && !says("both have said goodbye"))
      all->other_ends->add(std::string(line));
  });
  {
    host node(2, patient());
    const auto basin = node->spawn({.name = "basin"}, run_basin, all);
    std::vector<ref<service>> services;
    std::vector<ref<>> senders;
    for (unsigned i = 0; i < children; ++i) {
      const std::string name = "load-" + std::to_string(i);
      services.push_back(spawn_load(*node, name, *ledgers[i]));
      senders.push_back(node->spawn(run_items, services[i], i + 1, all));
      senders.push_back(node->spawn(run_sheets, services[i], i + 1, all));
      senders.push_back(node->spawn(run_questions, services[i], all));
      node->spawn(run_killer, name, basin, each, all);
    }
    const auto limit = 60s + std::chrono::seconds(2) * each;
    CHECK(all->done->wait_for(children, limit) == lines(children, "as often as wanted"));
    all->over.store(true);
    // It goes on as if nothing had been, but that its new life may end as it begins.
    for (const ref<service>& s : services) {
      CHECK(eventually([&] {
        const auto still = s.blocking_ask<question>(patience, 7u, "still there");
        return still && still->sum == checksum("still there", 7);
      }));
    }
    for (const ref<>& s : senders) node->kill(s);
    for (const ref<service>& s : services) node->stop(s);
    node->stop(basin);
    CHECK(eventually([&] { return node->live_actors() == 1; }));
    CHECK(eventually([&] { return node->loan(shared_memory).has_value(); }));  // all of it has come back
    settled(*node);
    CHECK(node->stop());
    node.check_books();
  }
  troupe::set_log_sink({});

  CHECK(all->other_ends->all() == lines());
  CHECK(all->wrong_drops.load() == 0);
  CHECK(all->wrong_answers.load() == 0);
  CHECK(all->drops.load() > each);
  CHECK(all->bulks.load() > 0);
  CHECK(all->answers.load() > each);
  std::uint64_t lives = 0, cut_short = 0, items = 0, sheets = 0;
  for (const auto& l : ledgers) {
    const ledger& book = *l->book;
    CHECK(book.torn.load() == 0);
    CHECK(book.doubled.load() == 0);
    CHECK(book.gaps.load() == 0);
    CHECK(book.sheets.count.load() > 0);
    lives += book.lives.load();
    cut_short += book.cut_short.load();
    items += book.items.count.load();
    sheets += book.sheets.count.load();
  }
  CHECK(items > each);
  CHECK(process_test::childless());
  CHECK(belongings::now() == before);

  REQUIRE(all->notices.size() == std::size_t{children} * each);
  std::printf(
      "%zu kills, %llu lives of which %llu ended as they began: %llu messages, %llu bulks; %llu messages and "
      "%llu bulks back; %llu answers\n",
      all->notices.size(), static_cast<unsigned long long>(lives), static_cast<unsigned long long>(cut_short),
      static_cast<unsigned long long>(items), static_cast<unsigned long long>(sheets),
      static_cast<unsigned long long>(all->drops.load()), static_cast<unsigned long long>(all->bulks.load()),
      static_cast<unsigned long long>(all->answers.load()));
  CHECK(median_of("DOWN", all->notices) < 100ms * slowdown);  // all of them want the processors at once
}

TEST_CASE("kills: the death of a small process with nothing to do is noticed at once") {
  const auto all = std::make_shared<findings>();
  const ledger_file book("troupe-ledger-idle");
  std::vector<std::chrono::nanoseconds> raw;
  for (unsigned i = 0; i < kills_wanted(); ++i) raw.push_back(raw_notice());
  (void)median_of("a fork's pidfd readable", raw);
  troupe::set_log_sink([](troupe::log_level, std::string_view) {});
  host node(1, patient());
  const auto to = spawn_load(*node, "load-0", book);
  node->spawn(run_killer, "load-0", ref<drop>(), kills_wanted(), all);
  CHECK(all->done->wait_for(1, 60s + std::chrono::seconds(2) * kills_wanted()) ==
        lines{"as often as wanted"});
  node->stop(to);
  CHECK(node->stop());
  troupe::set_log_sink({});
  CHECK(process_test::childless());
  REQUIRE(all->notices.size() == kills_wanted());
  CHECK(median_of("DOWN", all->notices) < 5ms * slowdown);  // 1 ms is meant, where nothing else runs
}
