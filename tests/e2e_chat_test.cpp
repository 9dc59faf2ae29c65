// The chat programs as real processes, with people at real sockets.
#include "catch.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <troupe/env.hpp>
#include <vector>

#include "chat/figures.hpp"
#include "chat/room.hpp"
#include "chat/terminal.hpp"
#include "chat/tick.hpp"
#include "demo/process.hpp"
#include "io_driver_kit.hpp"

using namespace std::chrono_literals;

namespace {

constexpr troupe::duration soon = 20s;  // anything takes less, also under a sanitizer on a busy machine

/// A room in a process, its members, and what all of them print.
class house {
 public:
  explicit house(troupe::io_backend io, const std::vector<std::string>& flags = {}) : io_(to_string(io)) {
    std::vector<std::string> all{"--listen", "tcp://127.0.0.1:0", "--figures"};
    all.insert(all.end(), flags.begin(), flags.end());
    pid_ = start("room", "chat_room", all);
    until([&] { return port_ != 0 && !url_.empty(); });
  }

  chat::terminal person(const std::string& name, bool narrow = false) {
    auto t = chat::terminal::dial(port_, narrow);
    REQUIRE(t.has_value());
    REQUIRE(t->type("/nick " + name));
    REQUIRE(t->find(" is now " + name, soon).has_value());
    return std::move(*t);
  }
  void member(const std::string& name, std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--room", url_});
    start(name, "chat_member", flags);
    until([&] { return lanes_.contains(name); });
  }

  template <class Condition>
  void until(Condition holds) {
    const troupe::instant last = troupe::os_env().now() + soon;
    while (!holds()) {
      INFO(running_.complaints("room"));
      REQUIRE(troupe::os_env().now() < last);
      hear(running_.wait(100ms));
    }
  }
  std::uint64_t figure(const std::string& name, const std::string& key) { return figures_[name].number(key); }
  /// Frames that the room received from a member.
  std::uint64_t frames_from(const std::string& name) {
    const std::string text = figures_["room"].text(name);
    return std::strtoull(text.substr(text.find(':') + 1).c_str(), nullptr, 10);
  }
  std::uint16_t port() const { return port_; }
  const std::string& lane(const std::string& name) { return lanes_[name]; }
  std::uint64_t resident_kib() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    std::string word;
    std::uint64_t kib = 0;
    while (status >> word) {
      if (word == "VmRSS:") status >> kib;
    }
    return kib;
  }

  void kill(const std::string& name) { running_.signal(name, SIGKILL); }
  int stop(const std::string& name) { return running_.stop(name, 4s); }

 private:
  pid_t start(const std::string& name, const std::string& program, std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--node", name, "--io", io_});
    const auto pid = running_.start(name, TROUPE_BIN_DIR "/" + program, flags);
    REQUIRE(pid.has_value());
    return *pid;
  }
  void hear(const demo::event& e) {
    if (e.what != demo::event::kind::line) return;
    const std::string url = "members join with: --room ";
    const std::string way = "people join with: nc 127.0.0.1 ";
    if (e.text.starts_with(chat::figures_line::mark)) {
      figures_[e.from].read(e.text);
    } else if (e.text.starts_with(url + "tcp:")) {
      url_ = e.text.substr(url.size());
    } else if (e.text.starts_with(way)) {
      port_ = static_cast<std::uint16_t>(std::strtoul(e.text.substr(way.size()).c_str(), nullptr, 10));
    } else if (e.text.starts_with("in the room as ")) {
      lanes_[e.from] = e.text.substr(e.text.rfind(' ') + 1);
    }
  }

  std::string io_;
  demo::processes running_{false};
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::string url_;
  std::map<std::string, std::string> lanes_;
  std::map<std::string, chat::figures_line> figures_;
};

/// What one at a terminal hears; on a busy machine whoever writes for it may fall behind, and then it is told so.
struct hearing {
  chat::tick_book book;
  std::uint64_t missed = 0;

  /// The next line at `at`.
  std::string hear(chat::terminal& at) {
    const auto line = at.find("", soon);
    REQUIRE(line.has_value());
    note(*line);
    return *line;
  }

 private:
  void note(const std::string& line) {
    const std::string_view told = "* you missed ";
    if (line.starts_with(told)) {
      const std::uint64_t lines = std::strtoull(line.c_str() + told.size(), nullptr, 10);
      missed += lines;
      book.missed(lines);
    }
    const std::size_t said = line.find("> #");
    if (said == std::string::npos) return;
    const auto t = chat::parse_tick(std::string_view(line).substr(said + 2));
    REQUIRE(t.has_value());
    book.heard(line.substr(1, said - 1), *t);
  }
};

/// Reads until `speaker` has said number `last`, or later ones if that one was missed.
hearing listen(chat::terminal& at, const std::string& speaker, std::uint64_t last) {
  hearing all;
  while (all.book.last_of(speaker) < last) all.hear(at);
  return all;
}

/// `demo chat` with these flags, and all that it says.
class chat_demo {
 public:
  explicit chat_demo(std::vector<std::string> flags) {
    flags.insert(flags.begin(), "chat");
    const auto pid = running_.start("demo", TROUPE_BIN_DIR "/demo", flags);
    REQUIRE(pid.has_value());
    pid_ = *pid;
  }
  /// Reads on until it says this.
  void await(const std::string& part) {
    while (!says(part)) {
      INFO(text_);
      REQUIRE(read_on());
    }
  }
  /// Its exit code.
  int finish() {
    while (read_on()) continue;
    return code_;
  }
  const std::string& text() const { return text_; }
  bool says(const std::string& part) const { return text_.find(part) != std::string::npos; }
  /// Of its child that has this node; 0: there is none.
  pid_t process_of(const std::string& node) const {
    const std::string task = "/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_);
    std::ifstream children(task + "/children");
    for (pid_t child = 0; children >> child;) {
      std::ifstream file("/proc/" + std::to_string(child) + "/cmdline");
      std::string word;
      std::string before;
      while (std::getline(file, word, '\0')) {
        if (before == "--node" && word == node) return child;
        before = word;
      }
    }
    return 0;
  }

 private:
  bool read_on() {
    const demo::event e = running_.wait(soon);
    INFO(text_);
    REQUIRE(e.what != demo::event::kind::timeout);
    if (e.what == demo::event::kind::line) text_ += e.text + "\n";
    code_ = e.code;
    return e.what != demo::event::kind::ended;
  }

  demo::processes running_{false};
  pid_t pid_ = -1;
  std::string text_;
  int code_ = 0;
};

troupe::io_backend each_backend() { return GENERATE(from_range(troupe::test::backends())); }

}  // namespace

TEST_CASE("people at terminals talk, whisper, rename themselves, list each other and quit", "[chat][e2e]") {
  house h(each_backend());
  auto ann = h.person("ann");
  auto bob = h.person("bob");
  const auto says = [](chat::terminal& who, const std::string& typed, chat::terminal& to,
                       const std::string& shown) {
    INFO(typed);
    REQUIRE(who.type(typed));
    const auto line = to.find(shown, soon);
    CHECK(line.has_value());
  };
  says(ann, "hello, bob\r", bob, "<ann> hello, bob");
  says(ann, "/who", ann, "* here: ann bob");
  says(bob, "/msg ann psst, quietly", ann, "[bob to you] psst, quietly");
  says(bob, "/msg nobody psst", bob, "* there is no nobody here");
  says(bob, "/msg ann", bob, "* nothing to tell");
  says(ann, "/nick bob", ann, "* the name bob is taken");
  says(ann, "/nick b@d", ann, "* a name is 1 to 20 of");
  says(ann, "/nick " + std::string(21, 'a'), ann, "* a name is 1 to 20 of");
  says(ann, "/nick anna", bob, "* ann is now anna");
  says(ann, "/dance", ann, "* unknown command /dance");
  says(ann, "/help", ann, "/msg NAME TEXT");
  says(ann, "red \x1b[31m bell \a C1 \xc2\x9b bad \xff.", bob, "<anna> red [31m bell  C1  bad ?.");
  says(ann, std::string(5000, 'x'), ann, "* that line was too long");
  REQUIRE(ann.type(std::string(600, 'y')));
  const auto cut = bob.find("<anna> y", soon);
  REQUIRE(cut.has_value());
  CHECK(*cut == "<anna> " + std::string(512, 'y'));
  says(ann, "/quit", ann, "* bye");
  CHECK(bob.find("* anna left", soon).has_value());
  auto eof = ann.find("nothing more", soon);
  CHECK_FALSE(eof.has_value());
  {
    auto carol = h.person("carol");
  }  // hangs up
  CHECK(bob.find("* carol left", soon).has_value());
  says(bob, "/who", bob, "* here: bob");
}

TEST_CASE("what is typed before a hang-up is said and answered", "[chat][e2e]") {
  house h(each_backend());
  auto ann = h.person("ann");
  REQUIRE(ann.type("one\n/msg nobody two\n/msg ann three\n/quit"));
  CHECK(ann.find("* there is no nobody here", soon).has_value());
  CHECK(ann.find("[ann to you] three", soon).has_value());
  CHECK(ann.find("* bye", soon).has_value());
}

TEST_CASE("a late joiner gets the last 20 lines and no others", "[chat][e2e]") {
  house h(each_backend());
  auto ann = h.person("ann");
  auto bob = h.person("bob");
  for (int i = 1; i <= 25; ++i) REQUIRE(ann.type("line " + std::to_string(i) + "."));
  REQUIRE(bob.find("line 25.", soon).has_value());
  auto late = chat::terminal::dial(h.port());
  REQUIRE(late.has_value());
  for (int i = 6; i <= 25; ++i) {
    const auto line = late->find("<", soon);
    REQUIRE(line.has_value());
    CHECK(*line == "<ann> line " + std::to_string(i) + ".");
  }
}

TEST_CASE("members over shared memory and TCP hear each other and the people, all in order", "[chat][e2e]") {
  house h(each_backend());
  auto eve = h.person("eve");
  const std::vector<std::string> talk{"--lines", "300", "--rate", "600", "--cue", "go"};
  auto over_tcp = talk;
  over_tcp.insert(over_tcp.end(), {"--lanes", "tcp"});
  h.member("ann", talk);
  h.member("bob", over_tcp);
  CHECK(h.lane("ann") == "shm");
  CHECK(h.lane("bob") == "tcp");
  REQUIRE(eve.type("go"));
  REQUIRE(eve.type("#1 @1"));
  h.until([&] { return h.figure("ann", "heard") >= 601 && h.figure("bob", "heard") >= 601; });
  for (const std::string name : {"ann", "bob"}) {
    CHECK(h.figure(name, "own") == 300);
    CHECK(h.figure(name, "heard") == 601);
    CHECK(h.figure(name, "missed") == 0);
    CHECK(h.figure(name, "disorder") == 0);
    h.until([&] { return h.frames_from(name) >= 300; });
  }
  REQUIRE(eve.type("/nick evelyn"));
  hearing all;
  while (all.hear(eve) != "* eve is now evelyn") {
  }
  CHECK(all.book.disorder() == 0);
  CHECK(all.book.heard() + all.missed >= 600);
}

TEST_CASE("members killed with SIGKILL leave the room, and the others go on", "[chat][e2e]") {
  house h(each_backend());
  auto eve = h.person("eve");
  h.member("ann", {"--lines", "1000000", "--rate", "500"});
  h.member("bob", {"--lines", "1000000", "--rate", "500", "--lanes", "tcp"});
  listen(eve, "ann", 20);
  h.kill("ann");
  CHECK(eve.find("* ann left", soon).has_value());
  CHECK(listen(eve, "bob", 100).book.disorder() == 0);
  h.kill("bob");
  CHECK(eve.find("* bob left", soon).has_value());
  REQUIRE(eve.type("/who"));
  CHECK(eve.find("* here: eve", soon) == "* here: eve");
  h.member("carol", {});
  CHECK(eve.find("* carol joined", soon).has_value());
}

TEST_CASE("a person who does not read delays nobody and is told how much was missed", "[chat][e2e]") {
  house h(each_backend(), {"--patience", "1000000"});
  auto eve = h.person("eve");
  auto zoe = h.person("zoe", true);
  // For as long as it takes: what the kernel buffers for zoe depends on the number of sends that it comes in.
  h.member("ann", {"--lines", "1000000", "--rate", "1000", "--length", "500"});
  const hearing all = listen(eve, "ann", 1000);
  CHECK(all.book.disorder() == 0);
  CHECK(all.book.heard() + all.missed >= 1000);
  h.until([&] { return h.figure("room", "missed") > 0; });
  CHECK(h.figure("ann", "missed") == 0);
  CHECK(h.figure("room", "put_out") == 0);

  REQUIRE(zoe.type("I talk, though I do not read"));
  CHECK(eve.find("<zoe> I talk", soon).has_value());
  bool told = false;
  for (int i = 0; i < 200 && !told; ++i) {  // the next line that fits tells
    REQUIRE(eve.type("zoe?"));
    told = zoe.find("* you missed ", 50ms).has_value();
  }
  CHECK(told);
}

TEST_CASE("a person who never reads is put out in the end", "[chat][e2e]") {
  house h(each_backend(), {"--patience", "300"});
  auto eve = h.person("eve");
  auto zoe = h.person("zoe", true);
  // More than any kernel buffers, and no faster than eve reads, who would miss what is said of zoe.
  h.member("ann", {"--lines", "1000000", "--rate", "1000", "--length", "500"});
  CHECK(eve.find("* zoe was put out: it did not read", soon).has_value());
  h.until([&] { return h.figure("room", "put_out") == 1; });
  bool open = true;
  const troupe::instant last = troupe::os_env().now() + soon;
  while (open && troupe::os_env().now() < last) {
    open = zoe.receive(100ms);
    while (zoe.line()) {
    }
  }
  CHECK_FALSE(open);
}

TEST_CASE("the room's memory stays flat under 100,000 lines that a person does not read", "[chat][e2e]") {
  // The quarantine would be most of the room's memory.
  ::setenv("ASAN_OPTIONS", "quarantine_size_mb=1:thread_local_quarantine_size_kb=64", 1);
  house h(each_backend(), {"--patience", "1000000"});
  auto zoe = h.person("zoe", true);
  h.member("bob", {});  // reads all the time
  h.member("ann", {"--lines", "100000", "--rate", "20000", "--length", "200"});
  h.until([&] { return h.figure("room", "said") >= 20'000; });
  const std::uint64_t before = h.resident_kib();
  h.until([&] { return h.figure("room", "said") >= 100'000; });
  const std::uint64_t after = h.resident_kib();
  INFO(before << " KiB after 20,000 lines, " << after << " KiB after 100,000");
  CHECK(after < before + 4096);
  CHECK(h.figure("room", "missed") > 50'000);
  CHECK(h.figure("room", "put_out") == 0);
}

TEST_CASE("SIGTERM ends the room at once and in order, with people and members in it", "[chat][e2e]") {
  house h(each_backend());
  auto eve = h.person("eve");
  auto zoe = h.person("zoe", true);
  h.member("ann", {"--lines", "1000000", "--rate", "1000", "--length", "500"});
  listen(eve, "ann", 500);
  CHECK(h.stop("room") == 128 + SIGTERM);
  CHECK_FALSE(eve.find("nothing more", soon).has_value());
  CHECK_FALSE(eve.receive(0s));
}

TEST_CASE("a bad port, or one in use, is one line and exit code 2", "[chat][e2e]") {
  house h(troupe::io_backend::asio);
  demo::processes running(false);
  for (const std::string& port : {std::string("99999"), std::string("x"), std::to_string(h.port())}) {
    REQUIRE(
        running.start("second", TROUPE_BIN_DIR "/chat_room", {"--io", "asio", "--port", port}).has_value());
    demo::event e;
    while (e.what != demo::event::kind::ended) e = running.wait(soon);
    INFO(running.complaints("second"));
    CHECK(e.code == 2);
    CHECK(running.complaints("second").find(port) != std::string::npos);
  }
}

TEST_CASE("with --kill a process of the chat demo is killed and comes back, and all hear what is said then",
          "[chat][e2e]") {
  const std::string io(to_string(each_backend()));
  for (const std::string name : {"room", "ann", "bob"}) {
    chat_demo run({"--kill", name, "--io", io});
    const int code = run.finish();
    INFO(run.text());
    CHECK(code == 0);
    CHECK(run.says("chat: " + name + " was killed by signal 9 (Killed); it is started anew\n"));
    CHECK(run.says("chat: " + name + " is back\n"));
    CHECK(run.says("chat: PASS " + name + " was killed (SIGKILL) and is back: of "));
  }
}

TEST_CASE("with --kill a process of the chat demo that is killed again and again is given up",
          "[chat][e2e]") {
  chat_demo run({"--kill", "bob"});
  run.await("chat: bob is in");
  pid_t last = 0;
  for (int life = 1; life <= 4; ++life) {
    const troupe::instant until = troupe::os_env().now() + soon;
    pid_t now = last;
    while ((now == last || now == 0) && troupe::os_env().now() < until) now = run.process_of("bob");
    REQUIRE(now != last);
    last = now;
    REQUIRE(::kill(now, SIGKILL) == 0);
  }
  CHECK(run.finish() == 1);
  CHECK(run.says(
      "chat: FAIL bob was killed by signal 9 (Killed); processes were started anew 3 times already\n"));
}

TEST_CASE("on hosts of their own, one of which is cut off while all talk, all members hear all",
          "[chat][e2e][netns]") {
  chat_demo run({"--layout", "hosts", "--io", std::string(to_string(each_backend()))});
  const int code = run.finish();
  INFO(run.text());
  CHECK(code == 0);
  if (run.says("chat: SKIP ")) return (void)std::printf("SKIPPED: %s", run.text().c_str());
  CHECK(run.says("chat: the link of ann's host is up again\n"));
  CHECK(run.says("chat: PASS 610 lines"));
  CHECK(run.says("and nothing was lost\n"));
}

TEST_CASE("without --kill a process of the chat demo that dies is a failure", "[chat][e2e]") {
  for (const std::string name : {"room", "bob"}) {
    chat_demo run({});
    run.await("chat: eve is in");
    const pid_t pid = run.process_of(name);
    REQUIRE(pid != 0);
    REQUIRE(::kill(pid, SIGKILL) == 0);
    const int code = run.finish();
    INFO(run.text());
    CHECK(code == 1);
    CHECK(run.says("chat: FAIL "));
    CHECK(!run.says("PASS"));
  }
}
