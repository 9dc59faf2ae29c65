// Actors that are programs: run_process and run_service, supervised. The child is process_child.cpp.
#include <troupe/run_process.hpp>

#include "remote_support.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "process_child.hpp"
#include "process_kit.hpp"

using namespace test;
using process_test::childless;
using process_test::is_gone;
using namespace process_child;
using troupe::down;
using troupe::program;
using troupe::restart_on_failure;
using troupe::run_process;
using troupe::run_service;
using nothing = troupe::protocol<>;
using service_ref = ref<service>;

namespace {

program child(std::vector<std::string> arguments = {}) {
  program what;
  what.path = TROUPE_PROCESS_CHILD;
  what.arguments = std::move(arguments);
  what.out = troupe::stdio::null;
  return what;
}

std::size_t descriptors_of(const std::string& process) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + process + "/fd")) {
    count += entry.path().empty() ? 0 : 1;
  }
  return count;
}

/// Notes "watching", then "kind: text" of the death of whom it watches.
actor run_watcher(self<down> me, ref<> whom, book log) {
  me.monitor(whom);
  log->add("watching");
  co_await me.serve(
      [&](const down& d) { log->add(std::string(troupe::to_string(d.reason.kind)) + ": " + d.reason.text); });
}
book watch(host& node, const ref<>& whom) {
  const auto log = new_book();
  node->spawn(run_watcher, whom, log);
  log->wait_for(1);
  return log;
}
std::string end_in(const book& log) {
  const auto all = log->wait_for(2);
  return all.size() < 2 ? "nothing" : all.at(1);
}

/// Runs a program, as a service if it has a name, from a watcher, which misses nothing.
actor run_owner(self<down> me, program what, std::string name, book log) {
  const ref<> whom =
      name.empty() ? ref<>(me.spawn(run_process, what)) : ref<>(me.spawn(run_service<service>, what, name));
  me.monitor(whom);
  log->add("watching");
  co_await me.serve(
      [&](const down& d) { log->add(std::string(troupe::to_string(d.reason.kind)) + ": " + d.reason.text); });
}
std::string death_of(host& node, const program& what, const std::string& name = "") {
  const auto log = new_book();
  node->spawn(run_owner, what, name, log);
  return end_in(log);
}
std::string death_of_process(const program& what) {
  host node(1);
  std::string how = death_of(node, what);
  node.finish();
  return how;
}

troupe::node_options patient_node() {
  troupe::node_options options;
  options.supervision = {
      .most_restarts = 1000,
      .within = std::chrono::hours(1),
      .backoff = {.first = std::chrono::milliseconds(1), .most = std::chrono::milliseconds(50)}};
  return options;
}

service_ref spawn_service(host& node, const program& what, const troupe::spawn_options& options = {}) {
  return node->spawn(options, restart_on_failure(run_service<service>), what, process_child::name);
}

/// One that is not started again.
service_ref spawn_once(host& node, const program& what, const std::string& name = process_child::name) {
  return node->spawn(run_service<service>, what, name);
}

/// Which process answers; 0 if none does.
std::int32_t pid_behind(const service_ref& to) {
  const auto pid = to.blocking_ask<who>(patience);
  return pid ? *pid : 0;
}

void finish(host& node) {
  CHECK(node->stop());
  CHECK(childless());
}

}  // namespace

TEST_CASE("an actor that is a program ends as that does") {
  CHECK(death_of_process(child({"exit", "0"})) == "normal: ");
  CHECK(death_of_process(child({"exit", "3"})) == "failed: exit status 3");
  CHECK(death_of_process(child({"raise", std::to_string(SIGSEGV)})) == "failed: killed by SIGSEGV");
  program none;
  none.path = "/no/such/program";
  CHECK(death_of_process(none).find("failed: cannot start /no/such/program: no such file") == 0);
}

TEST_CASE("an actor that is a program is stopped with it, and killed with it") {
  program stubborn = child({"stubborn"});
  stubborn.grace = 50ms;
  for (const program& what : {child({"wait"}), stubborn}) {
    host node(1);
    const auto stopped = node->spawn(run_process, what);
    const auto first = watch(node, stopped);
    node->stop(stopped);
    CHECK(end_in(first) == "stopped: ");
    const auto killed = node->spawn(run_process, what);
    const auto second = watch(node, killed);
    node->kill(killed);
    CHECK(end_in(second) == "killed: ");
    node->spawn(run_process, what);
    node.finish();
    CHECK(childless());
  }
}

TEST_CASE("a program that fails is started again as often as its supervisor allows") {
  host node(1, {.supervision = {.most_restarts = 2, .backoff = {.first = 1ms, .most = 5ms}}});
  const auto folder = std::filesystem::temp_directory_path() / ("troupe-lives-" + std::to_string(::getpid()));
  std::ofstream(folder).close();
  program what;
  what.path = "sh";
  what.arguments = {"-c", "echo life >> " + folder.string() + "; exit 5"};
  const auto p = node->spawn(restart_on_failure(run_process), what);
  CHECK(end_in(watch(node, p)) == "failed: no restart left (2 within 5 s): exit status 5");
  std::ifstream lives(folder);
  CHECK(std::count(std::istreambuf_iterator<char>(lives), {}, '\n') == 3);
  std::filesystem::remove(folder);
  node.finish();
  CHECK(childless());
}

TEST_CASE("a service takes asks and sends by its ref, in order, on either lane and driver") {
  for (const setting& s : every_setting()) {
    INFO(s.text());
    host node(s.workers, s.options("front"));
    program what = child({"--workers", std::to_string(s.workers), "--lanes", s.tcp ? "tcp" : "auto"});
    const auto to = spawn_service(node, what);
    std::vector<std::int64_t> answers;
    play(*node, [&](self<nothing>&) -> troupe::task<void> {
      for (int i = 1; i <= 5; ++i) {
        const auto sent = co_await to.send<note>(i);
        expect(text_of(sent), "ok");
      }
      const auto all = co_await to.ask<noted>().within(patience);
      answers.push_back(all ? *all : -1);
      const auto eight = co_await to.ask<twice>(4).within(patience);
      answers.push_back(eight ? *eight : -1);
    });
    CHECK(answers == std::vector<std::int64_t>{12345, 8});
    REQUIRE(node->links().size() == 1);
    CHECK(node->links().at(0).lane == (s.tcp ? "local socket" : "shm"));
    finish(node);
  }
}

TEST_CASE("what comes while a service is away waits, and gets there in order when it is back") {
  troupe::node_options slow = patient_node();
  slow.supervision.backoff = {.first = 200ms, .most = 200ms};
  host node(2, slow);
  const auto to = spawn_service(node, child());
  const auto first = pid_behind(to);
  REQUIRE(first > 0);
  REQUIRE(to.blocking_send<crash>(patience).has_value());
  REQUIRE(eventually([&] { return node->links().at(0).lane == "none"; }));
  for (std::int64_t i = 1; i <= 9; ++i) CHECK(to.blocking_send<note>(patience, i).has_value());
  const auto all = to.blocking_ask<noted>(patience);
  CHECK((all ? *all : -1) == 123456789);
  const auto second = pid_behind(to);
  CHECK(second > 0);
  CHECK(second != first);
  finish(node);
}

TEST_CASE("an ask that is with a child when it dies fails with link_down") {
  host node(2, patient_node());
  const auto to = spawn_service(node, child());
  CHECK(pid_behind(to) > 0);
  std::vector<std::string> how;
  play(*node, [&](self<nothing>&) -> troupe::task<void> {
    const auto crash_then = [&]() -> troupe::task<void> { (void)co_await to.send<crash>(); };
    auto crashing = crash_then();
    const auto all =
        co_await troupe::when_all(to.ask<hold>().within(patience), to.ask<hold>().within(patience), crashing);
    how = {std::get<0>(all).error().text(), std::get<1>(all).error().text()};
  });
  CHECK(how == lines{"link down", "link down"});
  CHECK(pid_behind(to) > 0);
  finish(node);
}

TEST_CASE("an ask that is given up is given up in the child as well, which keeps its link to itself") {
  host node(1, patient_node());
  const auto to = spawn_service(node, child());
  const auto leaking = to.blocking_ask<leaks>(patience);
  CHECK((leaking && !*leaking));
  CHECK(to.blocking_ask<hold>(100ms).error() == errc::expired);
  CHECK(eventually([&] {
    const auto lost = to.blocking_ask<given_up>(patience);
    return lost && *lost == 1;
  }));
  finish(node);
}

TEST_CASE("while a service is away its mailbox fills up, and then its senders wait") {
  host node(
      1, {.supervision = {
              .most_restarts = 1000, .within = std::chrono::hours(1), .backoff = {.first = 1h, .most = 1h}}});
  troupe::spawn_options small;
  small.mailbox = 8;
  const auto to = spawn_service(node, child(), small);
  const auto pid = pid_behind(to);
  REQUIRE(pid > 0);
  ::kill(pid, SIGKILL);
  REQUIRE(eventually([&] { return node->links().at(0).lane == "none"; }));
  int sent = 0;
  REQUIRE(eventually([&] {
    const auto room = to.try_send<note>(1);
    sent += room ? 1 : 0;
    return !room && room.error() == errc::full;
  }));
  CHECK(sent >= 8);
  CHECK(sent <= 9);  // one may have been taken and put back
  finish(node);
}

TEST_CASE("a service that segfaults a hundred times in a row is back by the same ref each time") {
  host node(2, patient_node());
  const auto to = spawn_service(node, child());
  REQUIRE(pid_behind(to) > 0);
  const auto before = descriptors_of("self");
  std::chrono::nanoseconds longest{};
  std::set<std::int32_t> lives;
  for (int i = 0; i < 100; ++i) {
    const auto from = std::chrono::steady_clock::now();
    REQUIRE(to.blocking_send<crash>(patience).has_value());
    std::int32_t pid = 0;
    while (pid == 0 || lives.contains(pid)) {
      pid = pid_behind(to);
      if (std::chrono::steady_clock::now() - from > patience) break;
      if (i == 0 && pid != 0 && lives.empty()) break;
    }
    lives.insert(pid);
    longest = std::max(longest, std::chrono::nanoseconds(std::chrono::steady_clock::now() - from));
  }
  CHECK(lives.size() == 100);
  INFO("back after " << longest / 1ms << " ms at the latest");
  CHECK(longest < 10s);
  CHECK(eventually([&] { return descriptors_of("self") <= before; }));
  finish(node);
}

TEST_CASE("a service whose actor ends in its child, or whose link is rubbish, is started anew or ends") {
  host node(1, patient_node());
  program quick = child();
  quick.grace = 10ms;
  const auto to = spawn_service(node, quick);
  const auto first = pid_behind(to);
  REQUIRE(first > 0);
  REQUIRE(to.blocking_send<retire>(patience).has_value());
  std::int32_t second = 0;
  CHECK(eventually([&] { return (second = pid_behind(to)) != 0 && second != first; }));
  program scribbler = child({"scribble"});
  scribbler.grace = 10ms;
  CHECK(death_of(node, scribbler, process_child::name).find("does not speak troupe's protocol") !=
        std::string::npos);
  CHECK(pid_behind(to) == second);
  finish(node);
}

TEST_CASE("a program that takes no link, or publishes nothing, is no service") {
  troupe::node_options hasty;
  hasty.join_deadline = 300ms;
  host node(1, hasty);
  program deaf = child({"wait"});
  deaf.grace = 10ms;
  CHECK(death_of(node, deaf, process_child::name) ==
        "failed: no link with it: the peer did not answer the handshake in time");
  program other = child();
  other.grace = 10ms;
  CHECK(death_of(node, other, "another name") == "failed: it did not publish 'another name': not found");
  CHECK(death_of(node, child({"exit", "4"}), process_child::name) == "failed: exit status 4");
  finish(node);
}

TEST_CASE("a service is stopped in order, also while it starts") {
  host node(1);
  const auto to = spawn_once(node, child());
  CHECK(pid_behind(to) > 0);
  const auto first = watch(node, to);
  node->stop(to);
  CHECK(end_in(first) == "stopped: ");
  const auto starting = spawn_once(node, child({"wait"}));
  const auto second = watch(node, starting);
  node->stop(starting);
  CHECK(end_in(second) == "stopped: ");
  finish(node);
}

TEST_CASE("a service is stopped in order while asks are with its child, which are told") {
  host node(2);
  const auto to = spawn_once(node, child());
  CHECK(pid_behind(to) > 0);
  const auto end = watch(node, to);
  std::string how;
  play(*node, [&](self<nothing>& me) -> troupe::task<void> {
    const auto stop_then = [&]() -> troupe::task<void> {
      (void)co_await to.ask<who>().within(patience);  // by now the other one is there, too
      me.node().stop(to);
    };
    auto stopping = stop_then();
    const auto all = co_await troupe::when_all(to.ask<hold>().within(patience), stopping);
    how = std::get<0>(all).error().text();
  });
  CHECK(how == "stopped");
  CHECK(end_in(end) == "stopped: ");
  finish(node);
}

TEST_CASE("a service ends with the process that started it") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t supervisor = ::fork();
  REQUIRE(supervisor >= 0);
  if (supervisor == 0) {
    ::close(ends[0]);
    host node(1);
    program what = child();
    what.out = troupe::stdio::inherit;
    const auto to = spawn_service(node, what);
    const std::int32_t pid = pid_behind(to);
    (void)!::write(ends[1], &pid, sizeof pid);
    for (;;) ::pause();
  }
  ::close(ends[1]);
  std::int32_t pid = 0;
  CHECK(::read(ends[0], &pid, sizeof pid) == static_cast<ssize_t>(sizeof pid));
  ::close(ends[0]);
  REQUIRE(pid > 0);
  CHECK(::kill(pid, 0) == 0);
  ::kill(supervisor, SIGKILL);
  CHECK(::waitpid(supervisor, nullptr, 0) == supervisor);
  CHECK(eventually([&] { return is_gone(pid); }));
}
