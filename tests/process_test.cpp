// troupe::process: child processes that an actor starts, talks to, and ends. The child is process_child.cpp.
#include <troupe/process.hpp>

#include "fake_env.hpp"
#include "process_kit.hpp"
#include "remote_support.hpp"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <set>

using namespace test;
using process_test::childless;
using process_test::is_gone;
using troupe::exit_status;
using troupe::process;
using troupe::program;
using troupe::stdio;
using troupe::test::fake_machine;
using nothing = troupe::protocol<>;

namespace {

program child(std::vector<std::string> arguments, stdio in = stdio::null, stdio out = stdio::stream) {
  program what;
  what.path = TROUPE_PROCESS_CHILD;
  what.arguments = std::move(arguments);
  what.in = in;
  what.out = out;
  return what;
}

process started(const program& what) {
  auto p = process::start(what);
  if (!p) throw std::runtime_error(p.error().text);
  return std::move(*p);
}

std::set<int> open_descriptors() {
  std::set<int> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    all.insert(std::atoi(entry.path().filename().c_str()));
  }
  return all;
}

/// What the process says in its first line, and how it ends.
struct account {
  std::string said;
  exit_status how;
};
account account_of(const program& what) {
  account a;
  host node(1);
  play(*node, [&](self<nothing>&) -> troupe::task<void> {
    const process p = started(what);
    const auto line = co_await p.out().read_line(8000);
    a.said = line ? *line : line.error().text();
    a.how = co_await p.ended();
  });
  node.finish();
  return a;
}

std::string why_not_started(const program& what) {
  std::string why;
  host node(1);
  play(*node, [&](self<nothing>&) -> troupe::task<void> {
    const auto p = process::start(what);
    why = p ? "it was" : p.error().text;
    co_return;
  });
  node.finish();
  return why;
}

}  // namespace

TEST_CASE("a process is written to and read from as a stream is, on either I/O driver") {
  for (const auto io : {troupe::io_backend::automatic, troupe::io_backend::asio}) {
    troupe::node_options options;
    options.io = io;
    host node(1, options);
    std::vector<std::string> said;
    exit_status how{-1, -1};
    play(*node, [&](self<nothing>&) -> troupe::task<void> {
      const process p = started(child({"echo"}, stdio::stream));
      (void)co_await p.in().write("one\ntwo\n");
      p.in().close();
      for (int i = 0; i < 3; ++i) {
        const auto line = co_await p.out().read_line(100);
        said.push_back(line ? *line : line.error().text());
      }
      how = co_await p.ended();
    });
    CHECK(said == lines{"<one>", "<two>", "closed"});
    CHECK(how == exit_status{0, 0});
    CHECK(how.success());
    node.finish();
  }
  CHECK(childless());
}

TEST_CASE("an exit status says what a process returned, or which signal ended it") {
  CHECK(account_of(child({"exit", "0"})).how.text() == "exit status 0");
  CHECK(account_of(child({"exit", "3"})).how.text() == "exit status 3");
  CHECK(account_of(child({"raise", std::to_string(SIGSEGV)})).how.text() == "killed by SIGSEGV");
  CHECK(account_of(child({"raise", std::to_string(SIGTERM)})).how == exit_status{0, SIGTERM});
  CHECK_FALSE(exit_status{3, 0}.success());
}

TEST_CASE("a program that cannot be started is an error that names it and the reason") {
  program what;
  what.path = "/no/such/program";
  CHECK(why_not_started(what) ==
        "cannot start /no/such/program: no such file or directory; give its path, or install it where PATH "
        "leads");
  what.path = "no-such-program-anywhere";
  CHECK(why_not_started(what).find("no such file") != std::string::npos);
  what.path = TROUPE_TEST_DIR;
  CHECK(why_not_started(what).find("permission denied; make it a file that you may execute") !=
        std::string::npos);
  program lost = child({"echo"});
  lost.folder = "/no/such/folder";
  CHECK(why_not_started(lost).find(" in /no/such/folder: no such file") != std::string::npos);
  CHECK(childless());
}

TEST_CASE("an env without an operating system says that it has no processes") {
  fake_machine machine;
  const auto started = machine.world.start_process(child({"echo"}), false);
  REQUIRE_FALSE(started.has_value());
  CHECK(started.error().text.find("there are no child processes here, as in a simulation") !=
        std::string::npos);
}

TEST_CASE("a program is found by PATH, and has the environment and the folder that it was given") {
  program what = child({"environment", "TROUPE_TEST_WORD"});
  what.environment = {"TROUPE_TEST_WORD=plum"};
  what.folder = "/";
  CHECK(account_of(what).said == "plum in /");
  what.environment.clear();
  CHECK(account_of(what).said == "nothing in /");
  program home = child({"environment", "HOME"});
  home.environment = {"HOME=/elsewhere"};
  home.folder = "/";
  CHECK(account_of(home).said == "/elsewhere in /");
  program by_path;
  by_path.path = "sh";
  by_path.arguments = {"-c", "echo $0"};
  by_path.out = stdio::stream;
  CHECK(account_of(by_path).said == "sh");
}

TEST_CASE("a child has its standard streams and nothing else of ours, and the usual signals") {
  const int careless = ::open("/dev/null", O_RDONLY);  // inherited by whoever is not careful
  REQUIRE(careless >= 0);
  ::signal(SIGPIPE, SIG_IGN);
  CHECK(account_of(child({"descriptors"})).said == "0 1 2 ");
  CHECK(account_of(child({"signals"})).said == "free default");
  ::signal(SIGPIPE, SIG_DFL);
  ::close(careless);
}

TEST_CASE("stop asks a process to end, and kills it when it does not") {
  host node(1);
  std::vector<std::string> how;
  play(*node, [&](self<nothing>&) -> troupe::task<void> {
    for (const char* const kind : {"wait", "stubborn"}) {
      const process p = started(child({kind}));
      const auto ready = co_await p.out().read_line(100);
      expect(ready ? *ready : "nothing", "ready");
      const troupe::duration grace = std::string(kind) == "wait" ? troupe::duration(patience) : 50ms;
      const exit_status ended = co_await p.stop(grace);
      how.push_back(ended.text());
      const exit_status again = co_await p.stop(grace);  // it is told what it knows
      how.push_back(again.text());
    }
  });
  CHECK(how == lines{"killed by SIGTERM", "killed by SIGTERM", "killed by SIGKILL", "killed by SIGKILL"});
  node.finish();
  CHECK(childless());
}

TEST_CASE("a process ends with the actor that has it, whatever ends that") {
  const auto before = open_descriptors();
  for (const char* const end : {"return", "kill", "node"}) {
    host node(2);
    const auto log = new_book();
    const auto owner = node->spawn(
        [](self<nothing> me, book out, bool returns) -> actor {
          const process p = started(child({"stubborn"}, stdio::stream));
          const auto ready = co_await p.out().read_line(100);
          out->add(std::to_string(p.id()));
          if (!returns) co_await me.sleep(1h);
        },
        log, std::string(end) == "return");
    const auto pid = std::stoi(log->wait_for(1).at(0));
    if (std::string(end) == "kill") node->kill(owner);
    if (std::string(end) == "node") {
      (void)node->stop(0s);
    } else {
      CHECK(eventually([&] { return ::kill(pid, 0) != 0; }));
      node.finish();
    }
    CHECK(::kill(pid, 0) != 0);
    CHECK(childless());
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("what a process leaves of its process group ends with it") {
  const account a = account_of(child({"leave"}));
  const pid_t left = std::stoi(a.said);
  CHECK(a.how.success());
  CHECK(eventually([&] { return is_gone(left); }));
}

TEST_CASE("many processes at once leave no descriptor and no zombie") {
  const auto before = open_descriptors();
  const auto live_and_die = [](self<nothing>& me) -> troupe::task<void> {
    std::vector<process> all;
    for (int i = 0; i < 50; ++i) all.push_back(started(child({"echo"}, stdio::stream)));
    for (int i = 0; i < 25; ++i) {
      all[static_cast<std::size_t>(i)].in().close();
      const exit_status how = co_await all[static_cast<std::size_t>(i)].ended();
      expect(how.text(), "exit status 0");
    }
    co_await me.yield();
  };
  {
    host node(2);
    play(*node, live_and_die);
    node.finish();
  }
  CHECK(open_descriptors() == before);
  CHECK(childless());
}

TEST_CASE("a child ends with the process that started it") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t supervisor = ::fork();
  REQUIRE(supervisor >= 0);
  if (supervisor == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    host node(1);
    play(*node, [&](self<nothing>& me) -> troupe::task<void> {
      const process p = started(child({"stubborn"}, stdio::null, stdio::inherit));
      ::dprintf(STDOUT_FILENO, "%d\n",
                static_cast<int>(p.id()));  // not through a buffer, which holds what is the test's
      co_await me.sleep(1h);
    });
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;  // by the two, in either order
  char some[64];
  const auto said_both = [&] { return std::count(said.begin(), said.end(), '\n') == 2; };
  for (ssize_t n = 0; !said_both() && (n = ::read(ends[0], some, sizeof some)) > 0;)
    said.append(some, static_cast<std::size_t>(n));
  CHECK(said_both());
  ::kill(supervisor, SIGKILL);
  CHECK(::waitpid(supervisor, nullptr, 0) == supervisor);
  CHECK(::read(ends[0], some, 1) == 0);  // nobody can write there any more
  ::close(ends[0]);
  const auto digits = said.find_first_of("123456789");
  REQUIRE(digits != std::string::npos);
  CHECK(eventually([&] { return is_gone(std::stoi(said.substr(digits))); }));
}
