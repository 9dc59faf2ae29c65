#include "catch.hpp"

#include <string>

#include <troupe/log.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>

#include "fake_env.hpp"
#include "strand_kit.hpp"
#include "stream_core.hpp"

using namespace troupe;
using namespace troupe::test;
using io = fake_driver::kind;

namespace {

/// One stream on a fake machine, and the coroutines that use it.
struct bench {
  fake_machine machine;
  int fd = machine.world.make_fd();
  std::optional<byte_stream> stream;
  std::vector<std::unique_ptr<player>> players;
  std::vector<std::string> heard;

  bench() {
    auto* const core = new detail::stream_core(machine.worker, descriptor(machine.world, fd));
    stream.emplace(detail::socket_handle<detail::stream_core>(*core));
    machine.turns();
  }
  ~bench() {
    players.clear();
    stream.reset();
    machine.turns();
    machine.turns(3);
  }
  player& play(task<> body) {
    players.push_back(nullptr);
    players.back() = std::make_unique<player>(machine.worker, std::move(body));
    players.back()->start();
    machine.turns();
    machine.turns();
    return *players.back();
  }
  void kill(player& p) {
    p.kill();
    machine.turns();
  }
  void arrive(std::string_view text) {
    machine.io.arrive(fd, text);
    machine.turns(2);
  }
  std::string leave(std::size_t most) {
    std::string gone = machine.io.leave(fd, most);
    machine.turns(2);
    return gone;
  }
  void fail(io what, std::int32_t result) {
    machine.io.complete(fd, what, result);
    machine.turns(2);
  }
};

std::string words(const result<std::string>& r) { return r ? *r : "<" + r.error().text() + ">"; }

task<> read_lines(byte_stream from, std::size_t most, std::vector<std::string>* heard) {
  for (;;) {
    auto line = co_await from.read_line(most);
    heard->push_back(words(line));
    if (!line && line.error() != errc::too_large) co_return;
  }
}
task<> read_line(byte_stream from, std::size_t most, std::string* heard) {
  auto line = co_await from.read_line(most);
  *heard = words(line);
}
task<> read_some(byte_stream from, std::size_t most, std::string* heard) {
  auto some = co_await from.read_some(most);
  *heard = words(some);
}
task<> write(byte_stream to, std::string text, std::string* outcome) {
  auto written = co_await to.write(text);
  *outcome = written ? "ok" : written.error().text();
}

using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("an endless line is reported once and holds no memory", "[stream]") {
  bench b;
  b.play(read_lines(*b.stream, 100, &b.heard));
  const std::string part(1000, 'x');
  for (int i = 0; i < 1000; ++i) b.arrive(part);
  CHECK(b.heard == lines{"<too large>"});
  b.arrive("x\nnext\n");
  CHECK(b.heard == lines{"<too large>", "next"});
}

TEST_CASE("lines of one chunk are read without waiting, the last one needs no LF", "[stream]") {
  bench b;
  player& reader = b.play(read_lines(*b.stream, 100, &b.heard));
  CHECK(b.heard.empty());
  b.arrive("hello\r\nworld\nlast words");
  CHECK(b.heard == lines{"hello", "world"});
  CHECK(reader.runs == 2);
  b.fail(io::receive, 0);
  CHECK(b.heard == lines{"hello", "world", "last words", "<closed>"});
  CHECK(reader.done);
  std::string again;
  b.play(read_some(*b.stream, 10, &again));
  CHECK(again == "<closed>");
  CHECK(b.machine.io.in_flight() == 0);
}

TEST_CASE("a failure of the kernel comes after the bytes before it", "[stream]") {
  bench b;
  std::string first;
  std::string second;
  b.play(read_some(*b.stream, 3, &first));
  b.arrive("abcde");
  CHECK(first == "abc");
  b.play(read_some(*b.stream, 9, &second));
  CHECK(second == "de");
  b.play(read_line(*b.stream, 9, &second));
  b.fail(io::receive, -ECONNRESET);
  CHECK(second == "<input/output failed (ECONNRESET: connection reset by peer)>");
}

TEST_CASE("bytes that arrive for a destroyed reader are the next one's", "[stream]") {
  bench b;
  std::string lost;
  std::string heard;
  player& killed = b.play(read_line(*b.stream, 100, &lost));
  b.arrive("half a ");
  SECTION("while its receive is in flight") {
    b.kill(killed);
    b.arrive("line\n");
    b.play(read_line(*b.stream, 100, &heard));
    CHECK(heard == "half a line");
  }
  SECTION("with the next one waiting already") {
    b.kill(killed);
    b.play(read_line(*b.stream, 100, &heard));
    b.arrive("line\n");
    CHECK(heard == "half a line");
  }
  SECTION("after its receive and before its next run") {
    b.machine.io.arrive(b.fd, "line\n");
    b.machine.turns(1);
    b.kill(killed);
    b.play(read_line(*b.stream, 100, &heard));
    CHECK(heard == "half a line");
  }
  CHECK(lost.empty());
}

TEST_CASE("a write goes out whole, in pieces no larger than the stream's buffer", "[stream]") {
  bench b;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i) + ' ';
  std::string outcome;
  b.play(write(*b.stream, text, &outcome));
  std::string gone;
  for (std::size_t most = 1; outcome.empty(); most = most * 2 + 1) {
    REQUIRE(b.machine.io.find(b.fd, io::send) != nullptr);
    CHECK(b.machine.io.find(b.fd, io::send)->from.size() <= 8 * 1024);
    gone += b.leave(most);
  }
  CHECK(outcome == "ok");
  CHECK(gone == text);
  CHECK(b.machine.io.in_flight() == 0);
}

TEST_CASE("a write of nothing is done at once", "[stream]") {
  bench b;
  std::string outcome;
  b.play(write(*b.stream, "", &outcome));
  CHECK(outcome == "ok");
}

TEST_CASE("a failed write says why and drops what it had buffered", "[stream]") {
  bench b;
  std::string outcome;
  b.play(write(*b.stream, std::string(100, 'a'), &outcome));
  b.leave(10);
  b.fail(io::send, -EPIPE);
  CHECK(outcome == "input/output failed (EPIPE: broken pipe)");
  b.play(write(*b.stream, "again", &outcome));
  CHECK(b.leave(100) == "again");
  CHECK(outcome == "ok");
}

TEST_CASE("a destroyed writer leaves the piece in flight whole, and the next writer follows it", "[stream]") {
  bench b;
  std::string lost;
  std::string outcome;
  player& killed = b.play(write(*b.stream, "first ", &lost));
  b.kill(killed);
  b.play(write(*b.stream, "second", &outcome));
  CHECK(b.leave(2) == "fi");
  CHECK(b.leave(100) == "rst ");
  CHECK(outcome.empty());
  CHECK(b.leave(100) == "second");
  CHECK(outcome == "ok");
  CHECK(lost.empty());
}

TEST_CASE("one coroutine reads while another writes", "[stream]") {
  bench b;
  std::string outcome;
  b.play(read_lines(*b.stream, 100, &b.heard));
  b.play(write(*b.stream, "hello", &outcome));
  b.arrive("hi\n");
  CHECK(b.heard == lines{"hi"});
  CHECK(b.leave(5) == "hello");
  CHECK(outcome == "ok");
}

TEST_CASE("close ends who waits with closed, and the socket once the kernel has let go", "[stream]") {
  bench b;
  std::string heard;
  std::string outcome;
  b.machine.io.hold_cancelled = true;
  b.play(read_line(*b.stream, 10, &heard));
  b.play(write(*b.stream, "x", &outcome));
  b.stream->close();
  b.stream->close();
  b.machine.turns();
  b.machine.turns();
  CHECK(heard == "<closed>");
  CHECK(outcome == "closed");
  CHECK(b.machine.io.cancels == 2);
  CHECK(b.machine.world.open.contains(b.fd));
  CHECK(b.machine.worker.closing == 1);
  b.fail(io::receive, -ECANCELED);
  CHECK(b.machine.world.open.contains(b.fd));
  b.fail(io::send, 1);  // it was too late to cancel
  CHECK_FALSE(b.machine.world.open.contains(b.fd));
  CHECK(b.machine.io.forgotten.contains(b.fd));
  CHECK(b.machine.worker.closing == 0);
  b.play(read_line(*b.stream, 10, &heard));
  CHECK(heard == "<closed>");
  outcome.clear();
  b.play(write(*b.stream, "x", &outcome));
  CHECK(outcome == "closed");
}

TEST_CASE("bytes in the kernel's hands stay alive when every coroutine and handle is gone", "[stream]") {
  bench b;
  std::string heard;
  std::string outcome;
  b.machine.io.hold_cancelled = true;
  b.play(read_line(*b.stream, 10, &heard));
  b.play(write(*b.stream, "bytes", &outcome));
  b.players.clear();
  b.stream.reset();
  b.machine.turns();
  CHECK(b.machine.io.cancels == 2);
  CHECK(b.machine.worker.closing == 1);
  b.machine.io.arrive(b.fd, "late");  // written into the stream's own buffer
  CHECK(b.machine.io.leave(b.fd, 100) == "bytes");
  b.machine.turns();
  CHECK(b.machine.world.open.empty());
  CHECK(b.machine.worker.closing == 0);
  CHECK(heard.empty());
  CHECK(outcome.empty());
}

TEST_CASE("a worker that is asked to stop lets closing sockets close first", "[stream]") {
  bench b;
  std::string heard;
  b.machine.io.hold_cancelled = true;
  b.play(read_line(*b.stream, 10, &heard));
  b.players.clear();
  b.stream.reset();
  b.machine.turns();
  REQUIRE(b.machine.worker.closing == 1);
  b.machine.worker.request_stop();
  const auto cancelled = [&] { b.machine.io.complete(b.fd, io::receive, -ECANCELED); };
  b.machine.io.in_turn = [&] { b.machine.io.in_turn = cancelled; };  // in the second turn
  b.machine.worker.run();
  CHECK(b.machine.worker.closing == 0);
  CHECK(b.machine.world.open.empty());
}

namespace {

task<> accept_all(listener at, std::vector<byte_stream>* accepted, std::string* end) {
  for (;;) {
    auto next = co_await at.accept();
    if (!next) {
      *end = next.error().text();
      co_return;
    }
    accepted->push_back(*next);
  }
}

task<> connect_to(std::string url, std::optional<byte_stream>* made, std::string* outcome) {
  auto connected = co_await byte_stream::connect(url);
  *outcome = connected ? "ok" : connected.error().text();
  if (connected) made->emplace(*connected);
}

/// Collects the log's lines while it lives.
struct captured_log {
  captured_log() {
    set_log_sink([this](log_level, std::string_view line) { all.emplace_back(line); });
  }
  ~captured_log() { set_log_sink({}); }
  lines all;
};

/// A listener and a coroutine that accepts from it.
struct door : bench {
  std::optional<listener> at;
  std::vector<byte_stream> accepted;
  std::string end;
  int listening = 0;

  door() {
    auto opened = listener::open("tcp://127.0.0.1:0");
    at.emplace(std::move(*opened));
    listening = *machine.world.open.rbegin();
    machine.turns();
  }
  ~door() {
    players.clear();
    accepted.clear();
    at.reset();
    machine.turns();
  }
  void accept(std::int32_t result) {
    machine.io.complete(listening, io::accept, result);
    machine.turns(2);
  }
};

}  // namespace

TEST_CASE("a listener accepts one stream after the other until it is closed", "[stream]") {
  door d;
  CHECK(d.at->url() == "tcp://127.0.0.1:" + std::to_string(40000 + d.listening));
  CHECK(d.machine.io.in_flight() == 0);  // nobody waits
  d.play(accept_all(*d.at, &d.accepted, &d.end));
  d.accept(d.machine.world.make_fd());
  d.accept(d.machine.world.make_fd());
  CHECK(d.accepted.size() == 2);
  d.at->close();
  d.machine.turns();
  d.machine.turns(2);
  CHECK(d.end == "closed");
  CHECK_FALSE(d.machine.world.open.contains(d.listening));
}

TEST_CASE("a connection that comes after close is hung up", "[stream]") {
  door d;
  d.machine.io.hold_cancelled = true;
  d.play(accept_all(*d.at, &d.accepted, &d.end));
  d.at->close();
  d.machine.turns();
  const int late = d.machine.world.make_fd();
  d.accept(late);
  CHECK(d.accepted.empty());
  CHECK_FALSE(d.machine.world.open.contains(late));
  CHECK_FALSE(d.machine.world.open.contains(d.listening));
}

TEST_CASE("a connection whose acceptor was destroyed is the next one's", "[stream]") {
  door d;
  player& killed = d.play(accept_all(*d.at, &d.accepted, &d.end));
  d.kill(killed);
  d.accept(d.machine.world.make_fd());
  CHECK(d.accepted.empty());
  d.play(accept_all(*d.at, &d.accepted, &d.end));
  CHECK(d.accepted.size() == 1);
}

TEST_CASE("out of descriptors, a listener pauses for 100 ms and goes on", "[stream]") {
  captured_log log;
  door d;
  d.play(accept_all(*d.at, &d.accepted, &d.end));
  for (int i = 0; i < 3; ++i) {
    d.accept(-EMFILE);
    CHECK(d.machine.io.find(d.listening, io::accept) == nullptr);
    d.machine.pass(99ms);
    CHECK(d.machine.io.find(d.listening, io::accept) == nullptr);
    d.machine.pass(2ms);
    CHECK(d.machine.io.find(d.listening, io::accept) != nullptr);
  }
  REQUIRE(log.all.size() == 1);
  CHECK(log.all[0].find("cannot accept: input/output failed (EMFILE") != std::string::npos);
  d.accept(d.machine.world.make_fd());
  CHECK(d.accepted.size() == 1);
  d.accept(-EMFILE);
  CHECK(log.all.size() == 2);
  SECTION("closed while it pauses") {
    d.at->close();
    d.machine.turns();
    d.machine.turns(2);
    CHECK(d.end == "closed");
    CHECK(d.machine.worker.timers().size() == 0);
  }
  SECTION("with a new acceptor while it pauses") {
    d.kill(*d.players.back());
    d.play(accept_all(*d.at, &d.accepted, &d.end));
    CHECK(d.machine.io.find(d.listening, io::accept) == nullptr);
    d.machine.pass(101ms);
    CHECK(d.machine.io.find(d.listening, io::accept) != nullptr);
  }
  SECTION("its acceptor destroyed while it pauses") {
    d.kill(*d.players.back());
    d.machine.pass(1s);
    CHECK(d.machine.io.find(d.listening, io::accept) == nullptr);
  }
}

TEST_CASE("a listener that cannot open names the URL and the fix", "[stream]") {
  bench b;
  auto bad = listener::open("tcp://127.0.0.1");
  REQUIRE_FALSE(bad.has_value());
  CHECK(bad.error().text ==
        "bad endpoint 'tcp://127.0.0.1': no port; write tcp://HOST:PORT, e.g. tcp://127.0.0.1:7000");
  b.machine.world.refuse_sockets = true;
  CHECK(listener::open("tcp://127.0.0.1:1").error().text == "no sockets today");
  b.machine.turns();
}

TEST_CASE("connect gives a stream, or says why not", "[stream]") {
  captured_log log;
  bench b;
  std::optional<byte_stream> made;
  std::string outcome;
  SECTION("connected") {
    b.play(connect_to("tcp://127.0.0.1:7", &made, &outcome));
    const int fd = *b.machine.world.open.rbegin();
    b.machine.io.complete(fd, io::connect, 0);
    b.machine.turns(2);
    CHECK(outcome == "ok");
    std::string heard;
    b.play(read_line(*made, 10, &heard));
    b.machine.io.arrive(fd, "hi\n");
    b.machine.turns(2);
    CHECK(heard == "hi");
  }
  SECTION("refused") {
    b.play(connect_to("tcp://127.0.0.1:7", &made, &outcome));
    b.machine.io.complete(*b.machine.world.open.rbegin(), io::connect, -ECONNREFUSED);
    b.machine.turns(2);
    CHECK(outcome == "input/output failed (ECONNREFUSED: connection refused)");
    CHECK(b.machine.world.open == std::set<int>{b.fd});
  }
  SECTION("destroyed while it connects") {
    player& caller = b.play(connect_to("tcp://127.0.0.1:7", &made, &outcome));
    CHECK(b.machine.world.open.size() == 2);
    b.kill(caller);
    b.machine.turns();
    CHECK(b.machine.world.open == std::set<int>{b.fd});
    CHECK(outcome.empty());
  }
  SECTION("a bad URL") {
    b.play(connect_to("nowhere", &made, &outcome));
    CHECK(outcome == "unreachable");
    REQUIRE(log.all.size() == 1);
    CHECK(log.all[0].find("bad endpoint 'nowhere'") == 0);
  }
  SECTION("no socket") {
    b.machine.world.refuse_sockets = true;
    b.play(connect_to("tcp://127.0.0.1:7", &made, &outcome));
    CHECK(outcome == "unreachable");
    CHECK(log.all == lines{"no sockets today"});
  }
  made.reset();
  b.machine.turns();
}
