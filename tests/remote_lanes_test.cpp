// Lanes and joins, seen from the nodes: which lane is chosen and why, who may join, and what a failed join says.
#include "remote_support.hpp"

namespace remote_lanes {

struct add {
  using reply = std::int64_t;
  std::int64_t a;
  std::int64_t b;
};

}  // namespace remote_lanes

using namespace test;
using namespace remote_lanes;
using nothing = troupe::protocol<>;

namespace {

actor run_adder(self<add> me) {
  co_await me.serve([](add x) { return x.a + x.b; });
}

/// They talk, over that lane and no other, and the frame counters of both sides show it.
void check_talk(troupe::node& from, troupe::node& to, const std::string& lane) {
  const auto local = to.spawn(run_adder);
  const auto far = seen_from(from, to, local);
  const troupe::link_info before[] = {link_to(from, to.name()), link_to(to, from.name())};
  play(from, [&](self<nothing>&) -> troupe::task<void> {
    for (std::int64_t i = 0; i < 50; ++i) {
      const auto sum = co_await far.ask<add>(i, 1).within(patience);
      REQUIRE(sum.has_value());
      CHECK(*sum == i + 1);
    }
  });
  to.kill(local);
  const troupe::link_info after[] = {link_to(from, to.name()), link_to(to, from.name())};
  for (int side = 0; side < 2; ++side) {
    INFO(after[side].why);
    CHECK(after[side].lane == lane);
    CHECK(after[side].frames_out >= before[side].frames_out + 50);
    CHECK(after[side].frames_in >= before[side].frames_in + 50);
  }
}

std::string join_outcome(troupe::node& from, const std::string& url) {
  std::string outcome;
  play(from, [&](self<nothing>& me) -> troupe::task<void> {
    const auto joined = co_await me.node().join(url);
    outcome = joined ? "ok" : joined.error().text;
  });
  return outcome;
}

bool mentions(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("lanes: each pair of I/O drivers and numbers of workers links over the lane that was asked for") {
  const auto uring_or_asio = {troupe::io_backend::automatic, troupe::io_backend::asio};
  for (const bool tcp : {false, true}) {
    for (const auto front_io : uring_or_asio) {
      for (const auto back_io : uring_or_asio) {
        for (const unsigned front_workers : {1u, 3u}) {
          const setting front_how{tcp, front_workers, front_io};
          const setting back_how{tcp, 4 - front_workers, back_io};
          INFO(front_how.text() << " and " << back_how.text());
          troupe::node back = start_listening(back_how.options("back"));
          troupe::node front = start(front_how.options("front"));
          join(front, back.endpoints()[0]);
          check_talk(front, back, front_how.lane());
          check_talk(back, front, front_how.lane());
          settled(front);
          settled(back);
          check_stops(front);
          check_stops(back);
        }
      }
    }
  }
}

TEST_CASE("lanes: one side that wants TCP is enough for TCP") {
  for (const bool front_tcp : {false, true}) {
    const setting any;
    const setting tcp_only{true};
    troupe::node back = start_listening((front_tcp ? any : tcp_only).options("back"));
    troupe::node front = start((front_tcp ? tcp_only : any).options("front"));
    join(front, back.endpoints()[0]);
    check_talk(front, back, "tcp");
    CHECK(!link_to(front, "back").why.empty());
    settled(front);
    settled(back);
    check_stops(front);
    check_stops(back);
  }
}

TEST_CASE("lanes: a Unix socket that a node listens on leads to shared memory") {
  const setting how;
  auto options = how.options("back");
  const std::string url = "unix://@troupe-test-lanes-" + std::to_string(::getpid());
  options.listen = {url, "tcp://127.0.0.1:0"};
  troupe::node back = start(options);
  CHECK(back.endpoints()[0] == url);
  troupe::node front = start(how.options("front"));
  join(front, url);
  check_talk(front, back, "shm");
  settled(front);
  settled(back);
  check_stops(front);
  check_stops(back);
}

TEST_CASE("join: again, both ways at once and many times gives one link") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    troupe::node back = start_listening(how.options("back"));
    troupe::node front = start_listening(how.options("front"));
    std::vector<playing> joins;
    for (int i = 0; i < 5; ++i) {
      for (const bool from_front : {false, true}) {
        troupe::node& from = from_front ? front : back;
        const std::string url = (from_front ? back : front).endpoints()[0];
        joins.push_back(start_playing(from, [url](self<nothing>& me) -> troupe::task<void> {
          const auto joined = co_await me.node().join(url);
          if (!joined) throw std::runtime_error(joined.error().text);
        }));
      }
    }
    for (playing& j : joins) j.finish();
    CHECK(front.links().size() == 1);
    CHECK(back.links().size() == 1);
    CHECK(join_outcome(front, back.endpoints()[0]) == "ok");
    check_talk(front, back, how.lane());
    settled(front);
    settled(back);
    check_stops(front);
    check_stops(back);
  }
}

TEST_CASE("join: what cannot work is one line that names the address and what to do") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    auto options = how.options("front");
    options.join_deadline = 200ms;
    troupe::node front = start_listening(options);
    troupe::node twin = start_listening(how.options("front"));
    const std::string own = front.endpoints()[0];
    const std::string taken = twin.endpoints()[0];
    for (const std::string& url : {std::string("tcp://127.0.0.1:1"), std::string("nonsense"), own, taken,
                                   std::string("unix:///nowhere/at/all")}) {
      const std::string said = join_outcome(front, url);
      INFO(said);
      CHECK(mentions(said, url));
      CHECK(!mentions(said, "\n"));
    }
    CHECK(mentions(join_outcome(front, taken), "name"));
    CHECK(front.links().empty());
    check_stops(front);
    check_stops(twin);
  }
}

TEST_CASE("join: a node may listen after it is dialled, and the dialling one may stop meanwhile") {
  for (const setting& how : both_lanes()) {
    INFO(how.text());
    std::string url;
    {
      troupe::node before = start_listening(how.options("before"));
      url = before.endpoints()[0];
    }
    troupe::node front = start(how.options("front"));
    const auto log = new_book();
    auto joining = start_playing(front, [&](self<nothing>& me) -> troupe::task<void> {
      log->add("joining");
      const auto joined = co_await me.node().join(url);
      expect(joined ? "" : joined.error().text, "");
    });
    REQUIRE(log->wait_for(1) == lines{"joining"});
    auto options = how.options("back");
    options.listen = {url};
    troupe::node back = start(options);
    joining.finish();
    // It may have dialled the local socket just before that was there; then the link moves.
    CHECK(eventually([&] {
      return link_to(front, "back").lane == how.lane() && link_to(back, "front").lane == how.lane();
    }));
    check_talk(front, back, how.lane());
    settled(front);
    settled(back);
    check_stops(back);
    front.spawn(
        [](self<nothing> me, std::string to) -> actor {
          (void)co_await me.node().join(to);  // nobody is there
        },
        url);
    CHECK(!front.stop(500ms));  // it had to be killed while it dialled
    CHECK(front.accounting().balanced());
  }
}

TEST_CASE("join: a node that is started anew under its name gets a new link, and old refs stay unreachable") {
  for (const setting& how : every_setting()) {
    INFO(how.text());
    troupe::node front = start(how.options("front"));
    std::vector<ref<add>> old;
    for (int life = 0; life < 3; ++life) {
      troupe::node back = start_listening(how.options("back"));
      join(front, back.endpoints()[0]);
      const auto local = back.spawn(run_adder);
      const auto far = seen_from(front, back, local);
      play(front, [&](self<nothing>&) -> troupe::task<void> {
        for (const ref<add>& dead : old) {
          const auto sum = co_await dead.ask<add>(1, 1).within(patience);
          CHECK(sum.error() == errc::unreachable);
        }
        const auto sum = co_await far.ask<add>(1, 1).within(patience);
        CHECK((sum && *sum == 2));
      });
      old.push_back(far);
      settled(back);
      check_stops(back);
    }
    CHECK(std::count(old.begin(), old.end(), old[0]) == 1);
    settled(front);
    check_stops(front);
  }
}

TEST_CASE("lanes: a node with peers on both lanes uses each peer's own") {
  const setting any{false, 2};
  const setting tcp_only{true, 2};
  troupe::node hub = start_listening(any.options("hub"));
  troupe::node near = start(any.options("near"));
  troupe::node far = start(tcp_only.options("far"));
  join(near, hub.endpoints()[0]);
  join(far, hub.endpoints()[0]);
  check_talk(near, hub, "shm");
  check_talk(far, hub, "tcp");
  CHECK(hub.links().size() == 2);
  for (troupe::node* n : {&hub, &near, &far}) settled(*n);
  check_stops(near);
  check_talk(far, hub, "tcp");
  settled(far);
  check_stops(far);
  check_stops(hub);
}
