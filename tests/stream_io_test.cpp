// Byte streams over the real kernel, on both I/O drivers.
#include "catch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <troupe/log.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>

#include "stream_kit.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

/// What somebody sees who is not there.
using words = std::vector<std::string>;

task<> echo(byte_stream s, words* seen) {
  for (;;) {
    auto line = co_await s.read_line(100'000);
    if (!line) {
      seen->push_back(line.error().text());
      co_return;
    }
    seen->push_back(*line);
    auto sent = co_await s.write(*line + "\r\n");
    if (!sent) co_return;
  }
}
task<> serve_one(listener at, words* seen) {
  auto guest = co_await at.accept();
  if (guest) co_await echo(std::move(*guest), seen);
}
task<> converse(std::string url, words say, words* heard) {
  auto s = co_await byte_stream::connect(url);
  if (!s) {
    heard->push_back(s.error().text());
    co_return;
  }
  for (const std::string& line : say) {
    auto sent = co_await s->write(line + "\n");
    auto answer = co_await s->read_line(100'000);
    heard->push_back(answer && sent ? *answer : "nothing");
  }
}

listener open(const std::string& url) { return listener::open(url).value(); }

}  // namespace

TEST_CASE("actors talk over TCP and Unix sockets", "[stream]") {
  EACH_BACKEND(backend);
  const std::string url = GENERATE(as<std::string>(), "tcp://127.0.0.1:0", "unix://@troupe-stream-test-");
  real_machine machine(open_driver(backend));
  const listener at = open(url.starts_with("unix") ? url + std::to_string(::getpid()) : url);
  INFO("at " << at.url());
  const words say{"hello", "", std::string(90'000, 'x'), "bye"};
  words heard;
  words seen;
  const auto server = play(machine, serve_one(at, &seen));
  const auto client = play(machine, converse(at.url(), say, &heard));
  CHECK(machine.turn_until([&] { return server->done && client->done; }));
  CHECK(heard == say);
  REQUIRE(seen.size() == say.size() + 1);
  CHECK(seen.back() == "closed");
}

namespace {

task<> pour(byte_stream into, std::size_t bytes, std::string* outcome) {
  std::string all(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) all[i] = static_cast<char>('a' + i % 23);
  auto written = co_await into.write(all);
  *outcome = written ? "ok" : written.error().text();
}
task<> flood(byte_stream into, std::string* outcome) {
  const std::string block(100'000, 'x');
  for (;;) {
    auto written = co_await into.write(block);
    if (written) continue;
    *outcome = written.error().text();
    co_return;
  }
}
task<> drink(byte_stream from, std::size_t most, std::size_t* bytes, bool* in_order) {
  for (;;) {
    auto some = co_await from.read_some(most);
    if (!some) co_return;
    for (const char c : *some) *in_order = *in_order && c == static_cast<char>('a' + (*bytes)++ % 23);
  }
}
task<> meet(listener at, std::vector<byte_stream>* ends) {
  auto one = co_await at.accept();
  if (one) ends->push_back(*one);
}
task<> call(std::string url, std::vector<byte_stream>* ends) {
  auto one = co_await byte_stream::connect(url);
  if (one) ends->push_back(*one);
}

/// Two streams that are connected to each other.
std::vector<byte_stream> connected_pair(real_machine& machine) {
  std::vector<byte_stream> ends;
  const listener at = open("tcp://127.0.0.1:0");
  const auto a = play(machine, meet(at, &ends));
  const auto b = play(machine, call(at.url(), &ends));
  REQUIRE(machine.turn_until([&] { return ends.size() == 2; }));
  return ends;
}

}  // namespace

TEST_CASE("a long write arrives whole at a reader with a small appetite", "[stream]") {
  EACH_BACKEND(backend);
  real_machine machine(open_driver(backend));
  auto ends = connected_pair(machine);
  constexpr std::size_t size = 3'000'001;
  std::string outcome;
  std::size_t bytes = 0;
  bool in_order = true;
  const auto writer = play(machine, pour(ends[0], size, &outcome));
  const auto reader = play(machine, drink(ends[1], 1000, &bytes, &in_order));
  CHECK(machine.turn_until([&] { return bytes == size; }));
  CHECK(machine.turn_until([&] { return writer->done; }));
  CHECK(outcome == "ok");
  CHECK(in_order);
  ends[0].close();
  CHECK(machine.turn_until([&] { return reader->done; }));
}

TEST_CASE("coroutines are destroyed with their I/O in flight", "[stream]") {
  EACH_BACKEND(backend);
  real_machine machine(open_driver(backend));
  for (int round = 0; round < 15; ++round) {
    auto ends = connected_pair(machine);
    std::string outcome;
    std::size_t bytes = 0;
    bool in_order = true;
    words seen;
    std::vector<byte_stream> never;
    {
      const listener at = open("tcp://127.0.0.1:0");
      const auto acceptor = play(machine, meet(at, &never));
      const auto writer = play(machine, flood(ends[0], &outcome));
      const auto reader = play(machine, drink(ends[0], 100, &bytes, &in_order));
      const auto caller = play(machine, call(at.url(), &never));
      ends.erase(ends.begin());  // the coroutines have the last handles
      for (int i = 0; i < round; ++i) machine.worker.turn(false);
    }
    never.clear();
    ends.clear();
    REQUIRE(machine.turn_until([&] { return machine.worker.closing == 0; }));
    CHECK(outcome.empty());
    CHECK(bytes == 0);
  }
}

TEST_CASE("a listener survives a process that is out of descriptors", "[stream]") {
  EACH_BACKEND(backend);
  real_machine machine(open_driver(backend));
  words seen;
  const listener at = open("tcp://127.0.0.1:0");
  const endpoint where = endpoint::parse(at.url()).value();
  descriptor guest = world().open_socket(where).value();
  recorded connected;
  machine.worker.io().connect(connected, guest.get(), where);
  REQUIRE(machine.turn_until([&] { return connected.runs == 1; }));
  CHECK(connected.result == 0);

  std::vector<descriptor> hoard;
  for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) hoard.emplace_back(world(), fd);
  REQUIRE(errno == EMFILE);
  bool paused = false;
  set_log_sink([&](log_level, std::string_view line) { paused = line.find("EMFILE") != line.npos; });
  const auto server = play(machine, serve_one(at, &seen));
  CHECK(machine.turn_until([&] { return paused; }));
  set_log_sink({});
  hoard.clear();
  recorded sent;
  machine.worker.io().send(sent, guest.get(), bytes("hello\n"));
  CHECK(machine.turn_until([&] { return seen == words{"hello"}; }));
  machine.worker.io().forget(guest.get());
  guest.reset();
  CHECK(machine.turn_until([&] { return server->done; }));
}
