// FIFOs as byte streams, on both I/O drivers: who reads waits for nobody, and who writes hears that nobody reads.
#include "catch.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <troupe/stream.hpp>
#include <troupe/task.hpp>

#include "fake_env.hpp"
#include "stream_kit.hpp"

using namespace troupe;
using namespace troupe::test;
using words = std::vector<std::string>;

namespace {

/// A FIFO in a folder of its own.
struct fifo_file {
  std::string folder = (std::filesystem::temp_directory_path() / "troupe-fifo-XXXXXX").string();
  std::string path;
  fifo_file() {
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    path = folder + "/lines";
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }
  ~fifo_file() { std::filesystem::remove_all(folder); }
};

byte_stream open(const fifo_file& at, fifo_use how) {
  auto s = byte_stream::open_fifo(at.path, how);
  if (!s) throw std::runtime_error(s.error().text);
  return *s;
}
std::string why_not(const std::string& path, fifo_use how) {
  const auto s = byte_stream::open_fifo(path, how);
  return s ? "it was opened" : s.error().text;
}

/// A program of another make that writes the FIFO.
struct plain_writer {
  descriptor fd;
  explicit plain_writer(const fifo_file& at)
      : fd(world(), ::open(at.path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) {
    REQUIRE(fd);
  }
  void say(const std::string& text) const {
    REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
};
void say_and_go(const fifo_file& at, const std::string& text) { plain_writer(at).say(text); }

task<> hear(byte_stream from, words* heard) {
  for (;;) {
    const auto line = co_await from.read_line(10'000);
    heard->push_back(line ? *line : "<" + line.error().text() + ">");
    if (!line) co_return;
  }
}
task<> write(byte_stream to, std::string text, int times, std::string* outcome) {
  for (int i = 0; i < times; ++i) {
    const auto written = co_await to.write(text);
    *outcome = written ? "ok" : written.error().text();
    if (!written) co_return;
  }
}

constexpr char broken_pipe[] = "input/output failed (EPIPE: broken pipe)";

}  // namespace

TEST_CASE("a FIFO that is opened to read goes on from writer to writer", "[stream]") {
  EACH_BACKEND(backend);
  const fifo_file fifo;
  real_machine machine(open_driver(backend));
  words heard;
  const byte_stream in = open(fifo, fifo_use::read);
  const auto reader = play(machine, hear(in, &heard));
  for (const std::string line : {"one", "two", "three"}) {
    say_and_go(fifo, line + "\n");
    REQUIRE(machine.turn_until([&] { return !heard.empty() && heard.back() == line; }));
  }
  say_and_go(fifo, "half a ");
  say_and_go(fifo, "line\n");
  CHECK(machine.turn_until([&] { return heard == words{"one", "two", "three", "half a line"}; }));
  in.close();
  CHECK(machine.turn_until([&] { return reader->done; }));
  CHECK(heard.back() == "<closed>");
}

TEST_CASE("a FIFO that is read to its end ends when the last writer has gone, and not before the first",
          "[stream]") {
  EACH_BACKEND(backend);
  const fifo_file fifo;
  real_machine machine(open_driver(backend));
  words heard;
  const auto reader = play(machine, hear(open(fifo, fifo_use::read_to_end), &heard));
  for (int i = 0; i < 10; ++i) machine.worker.turn(false);
  {
    const plain_writer last(fifo);
    say_and_go(fifo, "one\n");
    REQUIRE(machine.turn_until([&] { return heard == words{"one"}; }));
    for (int i = 0; i < 10; ++i) machine.worker.turn(false);
    last.say("two\nand");
  }
  CHECK(machine.turn_until([&] { return reader->done; }));
  CHECK(heard == words{"one", "two", "and", "<closed>"});
}

TEST_CASE("much is written to a FIFO with a slow reader, and lines of several writers stay whole",
          "[stream]") {
  EACH_BACKEND(backend);
  const fifo_file fifo;
  real_machine machine(open_driver(backend));
  words heard;
  const auto reader = play(machine, hear(open(fifo, fifo_use::read_to_end), &heard));
  constexpr int lines_each = 100;
  words outcomes(3);
  std::vector<std::unique_ptr<player>> writers;
  for (std::size_t w = 0; w < outcomes.size(); ++w) {
    std::string line(4096, static_cast<char>('a' + w));
    line.back() = '\n';
    writers.push_back(play(machine, write(open(fifo, fifo_use::write), line, lines_each, &outcomes[w])));
  }
  const auto done = [](const std::unique_ptr<player>& w) { return w->done; };
  CHECK(machine.turn_until([&] { return std::ranges::all_of(writers, done); }));
  writers.clear();  // they have the last handles
  CHECK(machine.turn_until([&] { return reader->done; }));
  CHECK(outcomes == words{"ok", "ok", "ok"});
  std::vector<int> whole(outcomes.size());
  for (const std::string& each : heard) {
    if (each.size() == 4095 && each.find_first_not_of(each[0]) == each.npos)
      ++whole.at(static_cast<std::size_t>(each[0] - 'a'));
  }
  CHECK(whole == std::vector<int>(3, lines_each));
}

TEST_CASE("a write that is larger than a FIFO arrives whole", "[stream]") {
  EACH_BACKEND(backend);
  const fifo_file fifo;
  real_machine machine(open_driver(backend));
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + (i % 100 == 0 ? '\n' : ' ');
  words heard;
  std::string outcome;
  const auto reader = play(machine, hear(open(fifo, fifo_use::read_to_end), &heard));
  auto writer = play(machine, write(open(fifo, fifo_use::write), text, 1, &outcome));
  CHECK(machine.turn_until([&] { return writer->done; }));
  writer.reset();  // it has the last handle
  CHECK(machine.turn_until([&] { return reader->done; }));
  CHECK(outcome == "ok");
  std::string all;
  for (const std::string& line : heard) all += line == "<closed>" ? "" : line + "\n";
  CHECK((all == text + "\n"));
}

TEST_CASE("two that read one FIFO share what comes: who finds nothing waits on", "[stream]") {
  EACH_BACKEND(backend);
  const fifo_file fifo;
  real_machine machine(open_driver(backend));
  words heard;
  const byte_stream first = open(fifo, fifo_use::read);
  const byte_stream second = open(fifo, fifo_use::read);
  const auto a = play(machine, hear(first, &heard));
  const auto b = play(machine, hear(second, &heard));
  for (std::size_t n = 1; n <= 20; ++n) {
    for (int i = 0; i < 3; ++i) machine.worker.turn(false);  // both wait
    say_and_go(fifo, std::to_string(n) + "\n");
    REQUIRE(machine.turn_until([&] { return heard.size() == n; }));
    CHECK(heard.back() == std::to_string(n));
  }
  CHECK_FALSE(a->done);
  CHECK_FALSE(b->done);
}

TEST_CASE("a FIFO that nobody reads any more fails its writers, and raises no signal", "[stream]") {
  EACH_BACKEND(backend);
  const fifo_file fifo;
  real_machine machine(open_driver(backend));
  std::string outcome;
  std::optional<byte_stream> reader = open(fifo, fifo_use::read_to_end);
  const byte_stream out = open(fifo, fifo_use::write);
  SECTION("before the write") {
    reader.reset();
    const auto writer = play(machine, write(out, "hello\n", 1, &outcome));
    CHECK(machine.turn_until([&] { return writer->done; }));
    CHECK(outcome == broken_pipe);
  }
  SECTION("while the write waits for room") {
    const auto writer = play(machine, write(out, std::string(1 << 20, 'x'), 1, &outcome));
    for (int i = 0; i < 100; ++i) machine.worker.turn(false);
    CHECK_FALSE(writer->done);
    reader.reset();
    CHECK(machine.turn_until([&] { return writer->done; }));
    CHECK(outcome == broken_pipe);
  }
  SECTION("and one that comes back is written to again") {
    reader.reset();
    const auto writer = play(machine, write(out, "lost\n", 1, &outcome));
    CHECK(machine.turn_until([&] { return writer->done; }));
    words heard;
    const auto again = play(machine, hear(open(fifo, fifo_use::read), &heard));
    const auto next = play(machine, write(out, "found\n", 1, &outcome));
    CHECK(machine.turn_until([&] { return heard == words{"found"}; }));
    CHECK(outcome == "ok");
  }
}

TEST_CASE("a write to a FIFO that nobody reads leaves the signals of its thread as they were", "[stream]") {
  const fifo_file fifo;
  auto reader = world().open_fifo(fifo.path, fifo_use::read_to_end);
  const auto out = world().open_fifo(fifo.path, fifo_use::write);
  REQUIRE((reader.has_value() && out.has_value()));
  reader->reset();
  const auto fails = [&] { return world().write_fifo(out->get(), bytes("x")).error().text() == broken_pipe; };
  sigset_t sigpipe, before, now;
  ::sigemptyset(&sigpipe);
  ::sigaddset(&sigpipe, SIGPIPE);
  const auto is_blocked = [&] {
    return ::pthread_sigmask(SIG_BLOCK, nullptr, &now) == 0 && ::sigismember(&now, SIGPIPE) == 1;
  };
  const auto is_pending = [&] { return ::sigpending(&now) == 0 && ::sigismember(&now, SIGPIPE) == 1; };
  ::pthread_sigmask(SIG_UNBLOCK, &sigpipe, &before);  // earlier tests may have blocked it
  CHECK(fails());
  CHECK_FALSE(is_blocked());
  ::pthread_sigmask(SIG_BLOCK, &sigpipe, nullptr);
  CHECK(fails());
  CHECK(is_blocked());
  CHECK_FALSE(is_pending());
  ::pthread_kill(::pthread_self(), SIGPIPE);  // somebody else's
  CHECK(fails());
  CHECK(is_pending());
  const timespec at_once{};
  CHECK(::sigtimedwait(&sigpipe, nullptr, &at_once) == SIGPIPE);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("a FIFO that cannot be opened is an error that names it, the reason and the fix", "[stream]") {
  const fifo_file fifo;
  real_machine machine(open_driver(io_backend::asio));
  const std::string begins = "cannot open the FIFO " + fifo.folder;
  CHECK(why_not(fifo.path, fifo_use::write) ==
        begins + "/lines: nobody reads it; start who does, or try again later");
  for (const fifo_use how : {fifo_use::read, fifo_use::read_to_end, fifo_use::write}) {
    CHECK(why_not(fifo.folder + "/none", how) ==
          begins + "/none: no such file or directory; make it first (mkfifo)");
    CHECK(why_not(fifo.folder, how) == begins + ": it is something else; choose another path");
    std::ofstream(fifo.folder + "/file") << "text";
    CHECK(why_not(fifo.folder + "/file", how) == begins + "/file: it is something else; choose another path");
    CHECK(why_not("/dev/null", how).find("/dev/null: it is something else") != std::string::npos);
  }
  fake_env no_system;
  CHECK(no_system.open_fifo("lines", fifo_use::read).error().text ==
        "cannot open lines: there are no FIFOs here, as in a simulation");
}

TEST_CASE("who waits at a FIFO may be destroyed, and what comes then is the next one's", "[stream]") {
  EACH_BACKEND(backend);
  const fifo_file fifo;
  real_machine machine(open_driver(backend));
  words heard;
  words lost;
  std::string outcome;
  {
    const byte_stream in = open(fifo, fifo_use::read);
    {
      const auto killed = play(machine, hear(in, &lost));
      for (int i = 0; i < 3; ++i) machine.worker.turn(false);
    }
    say_and_go(fifo, "for the next one\n");
    for (int i = 0; i < 3; ++i) machine.worker.turn(false);
    const auto reader = play(machine, hear(in, &heard));
    CHECK(machine.turn_until([&] { return heard == words{"for the next one"}; }));
    const auto writer =
        play(machine, write(open(fifo, fifo_use::write), std::string(1 << 20, 'x'), 1, &outcome));
    for (int i = 0; i < 3; ++i) machine.worker.turn(false);
  }
  CHECK(machine.turn_until([&] { return machine.worker.closing == 0; }));
  CHECK(lost.empty());
  CHECK(outcome.empty());
}
