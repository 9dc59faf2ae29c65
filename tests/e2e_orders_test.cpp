// The orders demo as its users meet it: the launcher, real processes for the stages, real files, real signals.
#include "actor_support.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <troupe/env.hpp>
#include <vector>

#include "io_driver.hpp"
#include "orders/deployment.hpp"
#include "orders/generate.hpp"
#include "orders/reference.hpp"

namespace {

using words = std::vector<std::string>;
using namespace std::chrono_literals;

class scratch {
 public:
  scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "troupe-e2e-orders-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    std::filesystem::create_directory(temporary());
  }
  ~scratch() { std::filesystem::remove_all(path_); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  std::string path(const std::string& name) const { return (path_ / name).string(); }
  /// TMPDIR of what the test runs.
  std::string temporary() const { return path("tmp"); }
  bool temporary_is_empty() const { return std::filesystem::is_empty(temporary()); }

 private:
  std::filesystem::path path_;
};

// A running launcher, the leader of a process group of its own. Orphans of that group become children of the test,
// so that it can tell whether there are any without guessing how long to wait.
class launcher {
 public:
  launcher(const scratch& folder, words arguments) {
    REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    std::array<int, 2> out;
    REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    arguments.insert(arguments.begin(), {TROUPE_BIN_DIR "/demo", "orders"});
    std::vector<char*> command;
    for (std::string& a : arguments) command.push_back(a.data());
    command.push_back(nullptr);
    const std::string temporary = folder.temporary();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves nothing, either
      ::setpgid(0, 0);
      ::setenv("TMPDIR", temporary.c_str(), 1);
      ::dup2(out[1], STDOUT_FILENO);
      ::dup2(out[1], STDERR_FILENO);
      ::execv(command[0], command.data());
      ::_exit(127);
    }
    ::setpgid(pid_, pid_);  // whoever of the two comes first
    ::close(out[1]);
    out_ = out[0];
    REQUIRE(pid_ > 0);
  }
  ~launcher() {
    if (!reaped_) ::kill(-pid_, SIGKILL);
    finish();
    ::close(out_);
  }
  launcher(const launcher&) = delete;
  launcher& operator=(const launcher&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& text() const { return text_; }

  /// Reads on until `form` is found in the output; its captures. Fails the test if the output ends before.
  std::smatch await(const std::string& form) {
    const std::regex wanted(form);
    std::smatch found;
    while (!std::regex_search(text_, found, wanted)) {
      if (!read_on()) FAIL("the launcher ended without saying \"" << form << "\":\n" << text_);
    }
    return found;
  }

  /// The exit code, or 128 + the signal, after all output was read.
  int finish() {
    if (reaped_) return code_;
    while (read_on()) continue;
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    reaped_ = true;
    code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return code_;
  }

  /// The processes of the group that were left when the launcher had ended, as /proc tells them; "" is right.
  std::string left_behind() {
    finish();
    std::string found;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
      std::ifstream file(entry.path() / "stat");
      std::string stat;
      std::getline(file, stat);
      const std::size_t close = stat.rfind(')');
      if (close == std::string::npos) continue;
      std::istringstream rest(stat.substr(close + 1));
      char state = '?';
      pid_t parent = 0;
      pid_t group = 0;
      if (!(rest >> state >> parent >> group) || group != pid_) continue;
      // At a process's end LeakSanitizer looks for leaks in a process of its own, which is orphaned by a kill.
      if (slowdown > 1 && state == 'Z') continue;
      found += stat.substr(0, 60) + '\n';
    }
    while (::waitpid(-pid_, nullptr, WNOHANG) > 0) continue;
    return found;
  }
  /// Waits for the last orphan to end.
  void await_orphans() const {
    while (::waitpid(-pid_, nullptr, 0) > 0) continue;
  }

  /// Process ids by node and layout ("procs/stock"), as the launcher has told them.
  std::map<std::string, pid_t> stages() const {
    static const std::regex form("orders: (\\w+): (\\w+) is process (\\d+), I/O by ");
    std::map<std::string, pid_t> found;
    for (std::sregex_iterator at(text_.begin(), text_.end(), form); at != std::sregex_iterator(); ++at) {
      found[(*at)[1].str() + "/" + (*at)[2].str()] = std::stoi((*at)[3]);
    }
    return found;
  }

 private:
  bool read_on() {
    std::array<char, 4096> block;
    const ssize_t size = ::read(out_, block.data(), block.size());
    if (size > 0) text_.append(block.data(), static_cast<std::size_t>(size));
    return size > 0;
  }

  pid_t pid_ = -1;
  int out_ = -1;
  std::string text_;
  int code_ = 0;
  bool reaped_ = false;
};

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) FAIL("cannot read " << path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

struct inputs {
  std::string orders_file;
  std::string stock_file;
  std::string ledger;  // what it must be
  std::string hash;

  words flags() const { return {"--orders", orders_file, "--stock", stock_file}; }
};

inputs make_inputs(const scratch& folder, std::uint64_t lines) {
  inputs made{folder.path("orders.csv"), folder.path("stock.csv"), {}, {}};
  REQUIRE(orders::generate(lines, 20'260'117, made.orders_file, made.stock_file));
  const auto counts = orders::run_reference(made.orders_file, made.stock_file, folder.path("reference.csv"));
  REQUIRE(counts);
  for (const std::uint64_t count : *counts) REQUIRE(count > 0);  // every status occurs
  made.ledger = bytes_of(folder.path("reference.csv"));
  made.hash = *orders::sha256_file(folder.path("reference.csv"));
  return made;
}

words operator+(words a, const words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Every link of the layout is on the lane, and frames went both ways.
void check_lanes(const std::string& text, orders::layout which, const std::string& lane) {
  for (const orders::placement& p : orders::deployment(which)) {
    for (const std::string_view target : p.joins) {
      const std::string link = std::string(p.node) + " -> " + std::string(target) + " by " + lane;
      INFO(to_string(which) << ": " << link);
      const std::regex form("orders: " + std::string(to_string(which)) + ": " + link +
                            ": ([0-9]+) frames out, ([0-9]+) in");
      std::smatch found;
      REQUIRE(std::regex_search(text, found, form));
      CHECK(std::stoull(found[1]) > 0);
      CHECK(std::stoull(found[2]) > 0);
    }
  }
}

void check_all_layouts(const std::string& io, const std::string& note) {
  const scratch folder;
  const inputs in = make_inputs(folder, 3000);
  launcher run(folder, in.flags() + words{"--io", io, "--out", folder.path("out")});
  const int code = run.finish();
  INFO(run.text());
  REQUIRE(code == 0);
  CHECK(contains(run.text(),
                 "\norders: PASS threads=" + in.hash + " procs=" + in.hash + " tcp=" + in.hash + "\n"));
  for (const std::string layout : {"threads", "procs", "tcp"}) {
    CHECK(bytes_of(folder.path("out/" + layout + "/ledger.csv")) == in.ledger);
  }
  check_lanes(run.text(), orders::layout::procs, "shm");
  check_lanes(run.text(), orders::layout::tcp, "tcp");

  std::set<pid_t> pids{run.pid()};
  const auto stages = run.stages();
  for (const auto& [name, pid] : stages) {
    CHECK(pids.insert(pid).second);
    CHECK(contains(run.text(), std::to_string(pid) + ", I/O by " + note));
  }
  CHECK(stages.size() == 1 + 2 * orders::pipeline().size());
  CHECK(run.left_behind() == "");
  CHECK(folder.temporary_is_empty());
}

bool has_uring() {
  std::string note;
  return static_cast<bool>(troupe::os_env().open_io(troupe::io_backend::uring, note));
}

// A run that has settled some orders and has many more to come. In a file: a run of so many takes a second or more.
constexpr std::uint64_t many = 400'000 / slowdown;
void await_middle(launcher& run, const std::string& layout) {
  run.await("orders: " + layout + ": [1-9][0-9]* of [0-9]+ lines");
  REQUIRE(!contains(run.text(), "PASS"));
}

// The abstract Unix sockets that these processes listen on.
std::set<std::string> abstract_sockets(const std::map<std::string, pid_t>& processes) {
  std::set<std::string> inodes;
  for (const auto& [name, pid] : processes) {
    std::error_code gone;
    for (const auto& fd : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
      const std::string target = std::filesystem::read_symlink(fd, gone).string();
      if (target.starts_with("socket:[")) inodes.insert(target.substr(8, target.size() - 9));
    }
  }
  std::set<std::string> found;
  std::ifstream table("/proc/net/unix");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    const words columns{std::istream_iterator<std::string>(fields), {}};
    if (columns.size() == 8 && columns[7].starts_with("@") && inodes.contains(columns[6]))
      found.insert(columns[7]);
  }
  return found;
}

/// The kernel takes an io_uring down, and what it refers to, some time after its process has ended.
bool goes_away(const std::string& abstract_name) {
  return test::eventually([&] { return !contains(bytes_of("/proc/net/unix"), " " + abstract_name + "\n"); });
}

std::set<std::string> shared_memory_files() {
  std::set<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator("/dev/shm"))
    names.insert(file.path().filename());
  return names;
}

}  // namespace

TEST_CASE("every layout writes the reference's ledger on the Asio backend", "[e2e][orders]") {
  check_all_layouts("asio", "asio");
}

TEST_CASE("every layout writes the reference's ledger on io_uring", "[e2e][orders]") {
  if (!has_uring()) {
    WARN("this kernel refuses io_uring");
    return;
  }
  check_all_layouts("uring", "io_uring");
}

TEST_CASE("the ledger does not depend on how many workers a stage has", "[e2e][orders]") {
  const scratch folder;
  const inputs in = make_inputs(folder, 2000);
  for (const words& flags : {words{"--stock-workers", "1", "--payment-workers", "1", "--workers", "1"},
                             words{"--stock-workers", "5", "--payment-workers", "3", "--workers", "3"}}) {
    for (const std::string layout : {"threads", "procs"}) {
      launcher run(folder, in.flags() + flags + words{"--layout", layout});
      const int code = run.finish();
      INFO(run.text());
      CHECK(code == 0);
      CHECK(contains(run.text(), "\norders: PASS " + layout + "=" + in.hash + "\n"));
    }
  }
}

TEST_CASE("an empty file and one without a last line ending pass", "[e2e][orders]") {
  const scratch folder;
  std::ofstream(folder.path("stock.csv")) << "sku,quantity\nA,5\n";
  for (const std::string rows : {"", "\r\n1,A,2,100,ann,4242424242424242"}) {
    std::ofstream(folder.path("orders.csv")) << "id,sku,quantity,unit_cents,customer,card\n" << rows;
    launcher run(folder, {"--orders", folder.path("orders.csv"), "--stock", folder.path("stock.csv"),
                          "--layout", "procs", "--out", folder.path("out")});
    const int code = run.finish();
    INFO(run.text());
    CHECK(code == 0);
    const std::string expected = rows.empty() ? "" : "1,,malformed,0\n2,1,paid,200\n";
    CHECK(bytes_of(folder.path("out/procs/ledger.csv")) == "line,id,status,amount_cents\n" + expected);
  }
}

TEST_CASE("by default all layouts run freshly generated orders", "[e2e][orders]") {
  const scratch folder;
  launcher run(folder, {"--generate", "500"});
  const int code = run.finish();
  INFO(run.text());
  CHECK(code == 0);
  const std::smatch seed = run.await("orders: --generate 500 --seed ([0-9]+)\n");
  const std::smatch verdict = run.await("\norders: PASS threads=([0-9a-f]{64}) procs=\\1 tcp=\\1\n");
  CHECK(folder.temporary_is_empty());

  launcher again(folder, {"--generate", "500", "--seed", seed[1], "--layout", "threads"});
  CHECK(again.finish() == 0);
  CHECK(contains(again.text(), "\norders: PASS threads=" + verdict[1].str() + "\n"));
}

TEST_CASE("killing any stage in mid-run makes the demo fail and leaves nothing", "[e2e][orders]") {
  const scratch folder;
  const inputs in = make_inputs(folder, many);
  for (const std::string layout : {"procs", "tcp"}) {
    for (const orders::stage& victim : orders::pipeline()) {
      const std::string name(victim.name);
      launcher run(folder, in.flags() + words{"--layout", layout, "--out", folder.path("out")});
      await_middle(run, layout);
      const pid_t pid = run.stages().at(layout + "/" + name);
      REQUIRE(::kill(pid, SIGKILL) == 0);
      const int code = run.finish();
      INFO(run.text());
      CHECK(code == 1);
      CHECK(contains(run.text(), "\norders: FAIL " + layout + ": " + name + " (process " +
                                     std::to_string(pid) + ") was killed by signal 9"));
      CHECK(!contains(run.text(), "PASS"));
      CHECK(run.left_behind() == "");
      CHECK(folder.temporary_is_empty());
      CHECK(std::filesystem::is_empty(folder.path("out/" + layout)));  // no half a ledger
    }
  }
}

void check_kills(const std::string& layout) {
  const scratch folder;
  const inputs in = make_inputs(folder, many / 2);
  for (const orders::stage& victim : orders::pipeline()) {
    const std::string name(victim.name);
    launcher run(folder, in.flags() + words{"--layout", layout, "--kill", name, "--out", folder.path("out")});
    const int code = run.finish();
    INFO(run.text());
    REQUIRE(code == 0);
    CHECK(contains(run.text(), "\norders: PASS " + layout + "=" + in.hash + "; " + name +
                                   " was killed (SIGKILL) in mid-run and started anew\n"));
    CHECK(bytes_of(folder.path("out/" + layout + "/ledger.csv")) == in.ledger);
    CHECK(!std::filesystem::exists(folder.path("out/" + layout + "/ledger.csv.partial")));
    const std::smatch death =
        run.await("orders: " + layout + ": " + name +
                  " \\(process ([0-9]+)\\) was killed by signal 9 \\(Killed\\) when ([0-9]+) "
                  "lines were written; it is started anew\n");
    CHECK(std::stoull(death[2]) > many / 6);
    CHECK(std::stoull(death[2]) < many / 2);
    CHECK(run.stages().at(layout + "/" + name) != std::stoi(death[1]));
    CHECK(run.left_behind() == "");
    CHECK(folder.temporary_is_empty());
  }
}

TEST_CASE("with --kill any stage is killed and comes back over shared memory, and the ledger is the same",
          "[e2e][orders]") {
  check_kills("procs");
}

TEST_CASE("with --kill any stage is killed and comes back over TCP, and the ledger is the same",
          "[e2e][orders]") {
  check_kills("tcp");
}

TEST_CASE("with --kill a run that nobody was killed in is a failure, the threads aside", "[e2e][orders]") {
  const scratch folder;
  std::ofstream(folder.path("stock.csv")) << "sku,quantity\nA,5\n";
  std::ofstream(folder.path("orders.csv")) << "id,sku,quantity,unit_cents,customer,card\n";
  launcher run(folder, {"--orders", folder.path("orders.csv"), "--stock", folder.path("stock.csv"), "--kill",
                        "check"});
  const int code = run.finish();
  INFO(run.text());
  CHECK(code == 1);
  CHECK(contains(run.text(), "orders: FAIL procs: it was over before check was killed"));
}

TEST_CASE("with --kill a run that is over at the first sign of it is a failure, not a kill in mid-run",
          "[e2e][orders]") {
  const scratch folder;
  launcher run(folder, {"--generate", "1", "--layout", "procs", "--kill", "payment"});
  const int code = run.finish();
  INFO(run.text());
  CHECK(code == 1);
  CHECK(contains(run.text(), "orders: FAIL procs: it was over before payment was killed"));
}

TEST_CASE("with --kill a process that ends by itself is a failure", "[e2e][orders]") {
  const scratch folder;
  const inputs in = make_inputs(folder, many);
  launcher run(folder,
               in.flags() + words{"--layout", "procs", "--kill", "stock", "--out", folder.path("out")});
  await_middle(run, "procs");
  const pid_t pid = run.stages().at("procs/check");
  REQUIRE(::kill(pid, SIGKILL) == 0);
  CHECK(run.finish() == 1);
  INFO(run.text());
  CHECK(contains(run.text(),
                 "orders: FAIL procs: check (process " + std::to_string(pid) + ") was killed by signal 9"));
}

TEST_CASE("with --kill a stage that is killed again and again is given up", "[e2e][orders]") {
  const scratch folder;
  const inputs in = make_inputs(folder, many);
  launcher run(folder,
               in.flags() + words{"--layout", "procs", "--kill", "stock", "--out", folder.path("out")});
  std::string known = "none,";
  for (int life = 1; life <= 4; ++life) {
    const std::string pid = run.await("procs: stock is process (?!" + known + ")([0-9]+), I/O")[1];
    known += "|" + pid + ",";
    if (life > 1) REQUIRE(::kill(std::stoi(pid), SIGKILL) == 0);  // the first one the launcher has killed
  }
  const int code = run.finish();
  INFO(run.text());
  CHECK(code == 1);
  CHECK(contains(run.text(), "orders: FAIL procs: stock (process "));
  CHECK(run.left_behind() == "");
  CHECK(std::filesystem::is_empty(folder.path("out/procs")));
}

TEST_CASE("Ctrl-C leaves no process, file, segment or socket", "[e2e][orders]") {
  const scratch folder;
  const inputs in = make_inputs(folder, many);
  const bool whole_group = GENERATE(true, false);  // as a terminal does it, and as kill does it
  const auto segments = shared_memory_files();
  launcher run(folder, in.flags() + words{"--layout", "procs"});
  await_middle(run, "procs");
  CHECK(!folder.temporary_is_empty());
  const auto sockets = abstract_sockets(run.stages());
  CHECK(!sockets.empty());

  REQUIRE(::kill(whole_group ? -run.pid() : run.pid(), SIGINT) == 0);
  const int code = run.finish();
  INFO(run.text());
  CHECK(code == 130);
  CHECK(!contains(run.text(), "PASS"));
  CHECK(run.left_behind() == "");
  CHECK(folder.temporary_is_empty());
  for (const std::string& name : sockets) CHECK(goes_away(name));
  for (const std::string& name : shared_memory_files())
    CHECK((segments.contains(name) || !contains(name, "troupe")));
}

TEST_CASE("on hosts of their own, one of which is cut off in mid-run, the stages write the same ledger",
          "[e2e][orders][netns]") {
  const scratch folder;
  const inputs in = make_inputs(folder, many);
  launcher run(folder, in.flags() + words{"--layout", "hosts", "--out", folder.path("out")});
  const int code = run.finish();
  INFO(run.text());
  CHECK(code == 0);
  CHECK(run.left_behind() == "");
  CHECK(folder.temporary_is_empty());
  if (contains(run.text(), "orders: SKIP ")) return (void)std::printf("SKIPPED: %s", run.text().c_str());
  CHECK(contains(run.text(),
                 "\norders: PASS hosts=" + in.hash + "; the link of payment's host was cut for 1 s"));
  CHECK(bytes_of(folder.path("out/hosts/ledger.csv")) == in.ledger);
  check_lanes(run.text(), orders::layout::hosts, "tcp");
}

TEST_CASE("Ctrl-C while a host is cut off leaves nothing", "[e2e][orders][netns]") {
  const scratch folder;
  const inputs in = make_inputs(folder, many);
  launcher run(folder, in.flags() + words{"--layout", "hosts"});
  run.await("is cut when|orders: SKIP ");
  if (contains(run.text(), "orders: SKIP ")) return (void)std::printf("SKIPPED: %s", run.text().c_str());
  REQUIRE(::kill(-run.pid(), SIGINT) == 0);
  const int code = run.finish();
  INFO(run.text());
  CHECK(code == 130);
  CHECK(run.left_behind() ==
        "");  // and so no network namespace, which has no name to outlive its processes by
  CHECK(folder.temporary_is_empty());
}

TEST_CASE("the stages end with a launcher that is killed", "[e2e][orders]") {
  const scratch folder;
  const inputs in = make_inputs(folder, many);
  launcher run(folder, in.flags() + words{"--layout", "procs"});
  await_middle(run, "procs");
  REQUIRE(run.stages().size() == orders::pipeline().size());
  REQUIRE(::kill(run.pid(), SIGKILL) == 0);
  CHECK(run.finish() == 128 + SIGKILL);
  run.await_orphans();  // for ever, if one stayed
  CHECK(::kill(-run.pid(), 0) != 0);
}

TEST_CASE("bad flags and files are one clear line and exit code 2", "[e2e][orders]") {
  const scratch folder;
  std::ofstream(folder.path("bad.csv")) << "id;sku\n";
  std::ofstream(folder.path("stock.csv")) << "sku,quantity\nA,5\n";
  const std::vector<std::pair<words, std::string>> cases = {
      {{"--layout", "rings"}, "rings"},
      {{"--io", "poll"}, "poll"},
      {{"--generate", "0"}, "--generate"},
      {{"--stock-workers", "0"}, "--stock-workers"},
      {{"--seed", "early"}, "early"},
      {{"--speed", "9"}, "--speed"},
      {{"--orders", "only.csv"}, "--stock"},
      {{"--orders", folder.path("none.csv"), "--stock", folder.path("stock.csv")}, "none.csv"},
      {{"--orders", folder.path("bad.csv"), "--stock", folder.path("stock.csv")}, "id;sku"},
      {{"--generate", "10", "--out", "/proc/no"}, "/proc/no"},
      {{"--kill", "till"}, "there is no till; orders has ledger, payment, stock, check, gateway"},
      {{"--kill", "stock", "--layout", "threads"}, "there is no stage to kill"},
      {{"--kill", "stock", "--layout", "hosts"}, "cuts a link in mid-run instead"},
  };
  for (const auto& [flags, named] : cases) {
    launcher run(folder, flags);
    const int code = run.finish();
    INFO(run.text());
    CHECK(code == 2);
    const std::string last = run.text().substr(run.text().rfind("demo: "));
    CHECK(contains(last, named));
    CHECK(std::count(last.begin(), last.end(), '\n') == 1);
    CHECK(run.stages().empty());
    CHECK(folder.temporary_is_empty());
  }
}
