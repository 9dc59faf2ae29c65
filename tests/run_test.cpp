// troupe::run as real processes: flags, configuration, signals, exit codes, and io_uring refused by the kernel.
#include <troupe/run.hpp>

#include "remote_support.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

using namespace test;
using nothing = troupe::protocol<>;

namespace {

/// A child process in which `f` runs, its result the exit code; both its outputs are read here.
class program {
 public:
  template <class F>
  explicit program(F f) {
    int out[2];
    int err[2];
    REQUIRE(::pipe(out) == 0);
    REQUIRE(::pipe(err) == 0);
    std::cout.flush();  // else the child prints what is buffered here as well
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      std::signal(SIGABRT, SIG_DFL);
      ::dup2(out[1], STDOUT_FILENO);
      ::dup2(err[1], STDERR_FILENO);
      for (const int end : {out[0], out[1], err[0], err[1]}) ::close(end);
      const int code = f();
      std::fflush(nullptr);
      ::_exit(code);
    }
    ::close(out[1]);
    ::close(err[1]);
    out_ = out[0];
    err_ = err[0];
  }
  program(const program&) = delete;
  program& operator=(const program&) = delete;
  ~program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      (void)exit_code();
    }
    ::close(out_);
    ::close(err_);
  }

  std::string line() {
    std::string text;
    for (char c = 0; ::read(out_, &c, 1) == 1 && c != '\n';) text += c;
    return text;
  }
  void signal(int number) const { ::kill(pid_, number); }
  std::string rest_of_output() const { return all_of(out_); }
  std::string errors() const { return all_of(err_); }
  /// -1 if a signal ended it.
  int exit_code() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  static std::string all_of(int from) {
    std::string text;
    char some[512];
    for (ssize_t n = 0; (n = ::read(from, some, sizeof some)) > 0;)
      text.append(some, static_cast<std::size_t>(n));
    return text;
  }
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
};

void say(const std::string& line) {
  const std::string text = line + '\n';
  (void)!::write(STDOUT_FILENO, text.data(), text.size());
}

template <class Entry>
int run_with(std::vector<std::string> flags, Entry entry) {
  flags.insert(flags.begin(), "program");
  std::vector<char*> argv;
  for (std::string& f : flags) argv.push_back(f.data());
  argv.push_back(nullptr);
  return troupe::run(static_cast<int>(flags.size()), argv.data(), entry);
}

troupe::task<int> tell(troupe::node& node) {
  say("name " + node.name());
  say("io " + node.io_note());
  for (const std::string& url : node.endpoints()) say("at " + url);
  for (const troupe::link_info& l : node.links()) say("linked with " + l.node + " over " + l.lane);
  say("end");
  co_return 0;
}
troupe::task<int> seven(troupe::node&) { co_return 7; }
troupe::task<int> fails(troupe::node&) {
  throw std::runtime_error("it cannot work");
  co_return 0;
}
troupe::task<int> tell_arguments(troupe::node&, troupe::arguments given) {
  for (const std::string& a : given) say(a);
  co_return 0;
}

actor run_ends_in_order(self<nothing> me, std::string name) {
  co_await me.serve();
  say(name + " stops");
}
/// Waits while its actors work.
troupe::task<int> serves(troupe::node& node) {
  node.spawn(run_ends_in_order, "first");
  const auto second = node.spawn([](self<nothing> me) -> actor {
    const auto child = me.spawn(run_ends_in_order, "child");
    (void)child;
    co_await me.serve();
    say("second stops");
  });
  node.spawn(
      [](self<troupe::down> me, ref<> watched) -> actor {
        me.monitor(watched);
        say("ready");
        co_await me.serve([](const troupe::down&) {});
        say("watcher stops");
      },
      second);
  co_await troupe::sleep_operation(1h);
  co_return 0;
}
troupe::task<int> stops_slowly(troupe::node& node) {
  troupe::spawn_options options;
  options.name = "slow";
  node.spawn(options, [](self<nothing> me) -> actor {
    say("ready");
    co_await me.serve();
    say("stopping");
    co_await me.sleep(1s);
  });
  co_await troupe::sleep_operation(1h);
  co_return 0;
}
struct farewell {
  farewell() = default;
  farewell(const farewell&) = delete;
  farewell& operator=(const farewell&) = delete;
  ~farewell() { say("main has ended"); }
};
troupe::task<int> sleeps(troupe::node&) {
  const farewell at_the_end;
  say("ready");
  co_await troupe::sleep_operation(1h);
  co_return 0;
}
troupe::task<int> stubborn(troupe::node& node) {
  troupe::spawn_options named;
  named.name = "deaf";
  node.spawn(named, [](self<nothing> me) -> actor {
    say("ready");
    co_await me.sleep(1h);
  });
  co_await troupe::sleep_operation(1h);
  co_return 0;
}

/// A folder of the test's own, removed with this.
class folder {
 public:
  folder()
      : path_(std::filesystem::temp_directory_path() / ("troupe-run-test-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  ~folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

using flags = std::vector<std::string>;

/// One line on standard error that names `value`, exit code 2, and nothing was started.
void check_refused(const flags& given, const std::string& value) {
  std::string shown;
  for (const std::string& f : given) shown += f + " ";
  program p([&] { return run_with(given, tell); });
  const std::string errors = p.errors();
  INFO(shown << "-> " << errors);
  CHECK(std::count(errors.begin(), errors.end(), '\n') == 1);
  CHECK(errors.find(value) != std::string::npos);
  CHECK(errors.rfind("program: ", 0) == 0);
  CHECK(p.rest_of_output().empty());
  CHECK(p.exit_code() == 2);
}

/// From now on io_uring_setup fails with `number` in this process.
void refuse_io_uring(int number) {
  const sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(number)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {static_cast<unsigned short>(std::size(code)), const_cast<sock_filter*>(code)};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    say("no seccomp filter");
    ::_exit(99);
  }
}

}  // namespace

TEST_CASE("run: what the main task returns is the exit code, and what it throws is one line and 1") {
  program returns([] { return run_with({}, seven); });
  CHECK(returns.exit_code() == 7);
  program throws([] { return run_with({}, fails); });
  CHECK(throws.errors().find("program: the main task failed: it cannot work\n") != std::string::npos);
  CHECK(throws.exit_code() == 1);
}

TEST_CASE("run: the flags name the node, its addresses, its workers, its driver and its lanes") {
  program p([] {
    return run_with({"--node", "me", "--listen", "tcp://127.0.0.1:0", "--listen", "tcp://127.0.0.1:0",
                     "--workers", "1", "--io", "asio", "--lanes", "tcp"},
                    tell);
  });
  CHECK(p.line() == "name me");
  CHECK(p.line() == "io asio: asked for");
  CHECK(p.line().rfind("at tcp://127.0.0.1:", 0) == 0);
  CHECK(p.line().rfind("at tcp://127.0.0.1:", 0) == 0);
  CHECK(p.line() == "end");
  CHECK(p.exit_code() == 0);
}

TEST_CASE("run: the main task starts when every --join is linked") {
  const setting how;
  for (const std::string lanes : {"auto", "tcp"}) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    program p([&] {
      std::string urls[2];
      for (std::string& url : urls) {
        for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) url += c;
      }
      return run_with({"--node", "joiner", "--join", urls[0], "--join", urls[1], "--lanes", lanes}, tell);
    });
    troupe::node one = start_listening(how.options("one"));
    troupe::node two = start_listening(how.options("two"));
    for (troupe::node* n : {&one, &two}) {
      const std::string url = n->endpoints()[0] + "\n";
      REQUIRE(::write(ends[1], url.data(), url.size()) == static_cast<ssize_t>(url.size()));
    }
    const std::string lane = lanes == "tcp" ? "tcp" : "shm";
    CHECK(p.line() == "name joiner");
    CHECK(p.line().rfind("io ", 0) == 0);
    lines links = {p.line(), p.line()};
    std::sort(links.begin(), links.end());
    CHECK(links == lines{"linked with one over " + lane, "linked with two over " + lane});
    CHECK(p.line() == "end");
    CHECK(p.exit_code() == 0);
    for (const int end : ends) ::close(end);
  }
}

TEST_CASE("run: arguments that are no flags go to a program that takes them, and to no other") {
  program takes(
      [] { return run_with({"--workers", "1", "alpha", "--beta", "3", "--", "--gamma"}, tell_arguments); });
  const std::string given = takes.rest_of_output();
  for (const std::string expected : {"alpha\n", "--beta\n", "3\n", "--gamma\n"}) {
    INFO(given);
    CHECK(given.find(expected) != std::string::npos);
  }
  CHECK(takes.exit_code() == 0);
  check_refused({"alpha"}, "alpha");
}

TEST_CASE("run: --help lists every flag and ends well") {
  program p([] { return run_with({"--help"}, tell); });
  const std::string help = p.rest_of_output();
  for (const std::string flag : {"--node", "--listen", "--announce", "--join", "--workers", "--io", "--lanes",
                                 "--key", "--peers", "--plaintext", "--config", "--help"}) {
    INFO(help);
    CHECK(help.find(flag) != std::string::npos);
  }
  CHECK(p.exit_code() == 0);
}

TEST_CASE("run: a bad flag is one line that names the value, and exit code 2") {
  check_refused({"--bogus"}, "--bogus");
  check_refused({"--workers", "0"}, "0");
  check_refused({"--workers", "256"}, "256");
  check_refused({"--workers", "many"}, "many");
  check_refused({"--workers"}, "--workers");
  check_refused({"--io", "epoll"}, "epoll");
  check_refused({"--lanes", "pigeon"}, "pigeon");
  check_refused({"--node", "a b"}, "a b");
  check_refused({"--node", std::string(65, 'n')}, std::string(65, 'n'));
  check_refused({"--listen", "nonsense"}, "nonsense");
  check_refused({"--listen", "tcp://127.0.0.1:65536"}, "65536");
  check_refused({"--listen", "tcp://127.0.0.1"}, "tcp://127.0.0.1");
  check_refused({"--listen", "tcp://203.0.113.7:0", "--plaintext"},
                "203.0.113.7");  // no address of this host
  check_refused({"--listen", "tcp://0.0.0.0:0"}, "--plaintext");
  check_refused({"--announce", "nonsense"}, "nonsense");
  check_refused({"--announce", "unix:///tmp/socket"}, "unix:///tmp/socket");
  check_refused({"--announce", "tcp://example.com:0"}, "tcp://example.com:0");
  check_refused({"--key", "/no/such/key"}, "key and peers");
  check_refused({"--key", "/no/such/key", "--peers", "/no/such/list"}, "needs a name");
  check_refused({"--node", "back", "--key", "/no/such/key", "--peers", "/no/such/list"}, "/no/such/key");
  check_refused({"--listen", "unix:///no/such/folder/socket"}, "/no/such/folder/socket");
  check_refused({"--join", "nonsense"}, "nonsense");
}

TEST_CASE("run: a port in use is one line that names it, and exit code 2") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  program p([&] {
    std::string url;
    for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) url += c;
    return run_with({"--listen", url}, tell);
  });
  const setting how;
  troupe::node holder = start_listening(how.options("holder"));
  const std::string url = holder.endpoints()[0];
  REQUIRE(::write(ends[1], (url + "\n").data(), url.size() + 1) == static_cast<ssize_t>(url.size() + 1));
  const std::string errors = p.errors();
  INFO(errors);
  CHECK(std::count(errors.begin(), errors.end(), '\n') == 1);
  CHECK(errors.find(url.substr(url.rfind(':'))) != std::string::npos);
  CHECK(p.rest_of_output().empty());
  CHECK(p.exit_code() == 2);
  for (const int end : ends) ::close(end);
}

TEST_CASE("run: --config reads the same names, and a flag goes before it") {
  const folder here;
  const std::string config = here.file("good.toml",
                                       "# a comment\nnode = \"from-file\"\nworkers = 1\nio = \"asio\"\n"
                                       "listen = [\"tcp://127.0.0.1:0\", \"tcp://127.0.0.1:0\"]\n");
  program p([&] { return run_with({"--config", config}, tell); });
  CHECK(p.line() == "name from-file");
  CHECK(p.line() == "io asio: asked for");
  CHECK(p.line().rfind("at tcp://127.0.0.1:", 0) == 0);
  CHECK(p.line().rfind("at tcp://127.0.0.1:", 0) == 0);
  CHECK(p.line() == "end");
  CHECK(p.exit_code() == 0);
  program overridden([&] { return run_with({"--config", config, "--node", "from-flag"}, tell); });
  CHECK(overridden.line() == "name from-flag");
  CHECK(overridden.exit_code() == 0);
}

TEST_CASE("run: a bad configuration file is one line that names what is wrong, and exit code 2") {
  const folder here;
  check_refused({"--config", here.path() + "/missing.toml"}, "missing.toml");
  check_refused({"--config", here.path()}, here.path());  // a folder: it opens and cannot be read
  check_refused({"--config", here.file("unknown.toml", "nodee = \"x\"\n")}, "nodee");
  check_refused({"--config", here.file("section.toml", "[extra]\nnode = \"x\"\n")}, "extra");
  check_refused({"--config", here.file("value.toml", "workers = \"many\"\n")}, "many");
  check_refused({"--config", here.file("driver.toml", "io = \"epoll\"\n")}, "epoll");
  check_refused({"--config", here.file("noise.toml", "this is no configuration\n")},
                "this is no configuration");
  if (::geteuid() != 0) {  // root reads everything
    const std::string secret = here.file("secret.toml", "node = \"x\"\n");
    std::filesystem::permissions(secret, std::filesystem::perms::none);
    check_refused({"--config", secret}, "secret.toml");
  }
}

TEST_CASE(
    "run: SIGTERM and SIGINT stop the actors in reverse order of birth, and the exit code is 128 + the "
    "signal") {
  for (const int number : {SIGTERM, SIGINT}) {
    program p([] { return run_with({"--workers", "1"}, serves); });
    REQUIRE(p.line() == "ready");
    p.signal(number);
    CHECK(p.line() == "watcher stops");
    CHECK(p.line() == "second stops");
    CHECK(p.line() == "child stops");
    CHECK(p.line() == "first stops");
    CHECK(p.exit_code() == 128 + number);
  }
}

TEST_CASE("run: what follows a flag's value belongs to the program") {
  program p([] {
    return run_with({"--listen", "tcp://127.0.0.1:0", "host", "--workers", "1", "port"}, tell_arguments);
  });
  CHECK(p.line() == "host");
  CHECK(p.line() == "port");
  CHECK(p.exit_code() == 0);
}

TEST_CASE("run: SIGQUIT prints what the actors do, and the program goes on") {
  program p([] { return run_with({"--workers", "1", "--node", "shown"}, serves); });
  REQUIRE(p.line() == "ready");
  p.signal(SIGQUIT);
  p.signal(SIGTERM);
  const std::string said = p.errors();
  INFO(said);
  CHECK(said.find("node shown: ") != std::string::npos);
  CHECK(said.find("/shown/main (worker 0) sleep at ") != std::string::npos);
  CHECK(said.find("run_test.cpp:") != std::string::npos);
  CHECK(p.exit_code() == 128 + SIGTERM);
}

TEST_CASE("run: SIGQUIT during the stop prints what the stop waits for") {
  program p([] { return run_with({"--workers", "1", "--node", "shown"}, stops_slowly); });
  REQUIRE(p.line() == "ready");
  p.signal(SIGTERM);
  REQUIRE(p.line() == "stopping");
  p.signal(SIGQUIT);
  const std::string said = p.errors();
  INFO(said);
  CHECK(said.find("/shown/slow (worker ") != std::string::npos);
  CHECK(p.exit_code() == 128 + SIGTERM);
}

TEST_CASE("run: with io_uring refused it runs on asio, one line says why, and --io uring is refused") {
  for (const auto& [number, name] : {std::pair(EPERM, "EPERM"), std::pair(ENOSYS, "ENOSYS")}) {
    INFO(name);
    program automatic([code = number] {
      refuse_io_uring(code);
      return run_with({"--listen", "tcp://127.0.0.1:0"}, tell);
    });
    CHECK(automatic.line().rfind("name ", 0) == 0);
    const std::string io = automatic.line();
    INFO(io);
    CHECK(io.rfind("io asio: io_uring refused (", 0) == 0);
    CHECK(io.find(name) != std::string::npos);
    const std::string log = automatic.errors();
    INFO(log);
    CHECK(std::count(log.begin(), log.end(), '\n') == 1);
    CHECK(log.find("io_uring refused") != std::string::npos);
    CHECK(automatic.exit_code() == 0);

    program insists([code = number] {
      refuse_io_uring(code);
      return run_with({"--io", "uring"}, tell);
    });
    const std::string refused = insists.errors();
    INFO(refused);
    CHECK(std::count(refused.begin(), refused.end(), '\n') == 1);
    CHECK(refused.find(name) != std::string::npos);
    CHECK(refused.find("--io asio") != std::string::npos);
    CHECK(insists.rest_of_output().empty());
    CHECK(insists.exit_code() == 2);
  }
}

TEST_CASE("run: with io_uring refused, links work on both lanes") {
  for (const std::string lanes : {"auto", "tcp"}) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    program p([&] {
      refuse_io_uring(EPERM);
      std::string url;
      for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) url += c;
      return run_with({"--node", "joiner", "--join", url, "--lanes", lanes}, tell);
    });
    const setting how;
    troupe::node peer = start_listening(how.options("peer"));
    const std::string url = peer.endpoints()[0] + "\n";
    REQUIRE(::write(ends[1], url.data(), url.size()) == static_cast<ssize_t>(url.size()));
    const std::string said = p.rest_of_output();
    INFO(said);
    CHECK(said.find("io asio: io_uring refused") != std::string::npos);
    CHECK(said.find("linked with peer over " + std::string(lanes == "tcp" ? "tcp" : "shm")) !=
          std::string::npos);
    CHECK(p.exit_code() == 0);
    for (const int end : ends) ::close(end);
  }
}

TEST_CASE("run: a signal ends a main task that waits, and its destructors run") {
  program p([] { return run_with({"--workers", "1"}, sleeps); });
  REQUIRE(p.line() == "ready");
  p.signal(SIGTERM);
  CHECK(p.line() == "main has ended");
  CHECK(p.exit_code() == 128 + SIGTERM);
}

TEST_CASE("run: an actor that does not stop is killed at the deadline and named, and the exit code is 1") {
  program p([] { return run_with({"--workers", "1"}, stubborn); });
  REQUIRE(p.line() == "ready");
  p.signal(SIGTERM);
  CHECK(p.errors().find("/deaf did not end by the deadline") != std::string::npos);
  CHECK(p.exit_code() == 1);
}
