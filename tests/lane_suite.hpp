// One suite on every lane: a behaviour is written once and runs between two actors of one node, between two nodes over
// shared memory, and between two nodes over TCP.
//
//   LANE_TEST("ask: the reply comes back") {
//     const auto service = on.spawn_back(run_service);
//     on.play_front([&](self<nothing>&) -> troupe::task<void> { ... service.far.ask<twice>(21) ... });
//   }
//
// is three cases, "local: ask: …", "shm: ask: …" and "tcp: ask: …", with the labels lane-local, lane-shm and lane-tcp.
// Each runs with every number of workers and every I/O driver of its lane, and checks at the end that its lane has
// carried the behaviour's frames, the books of both nodes, and that no actor and no pooled block is left.
#pragma once

#include "remote_support.hpp"

#include <troupe/detail/pool.hpp>

namespace test {

enum class lane : std::uint8_t { local, shm, tcp };

/// Local: on one worker, and with front and back on a worker each.
inline std::vector<setting> every_setting(lane over) {
  if (over == lane::local) return {{.workers = 1}, {.workers = 2}};
  std::vector<setting> fitting;
  for (const setting& s : every_setting()) {
    if (s.tcp == (over == lane::tcp)) fitting.push_back(s);
  }
  return fitting;
}
inline std::vector<setting> two_workers(lane over) { return {{.tcp = over == lane::tcp, .workers = 2}}; }

/// An actor of the back side, as it is known at home and as front knows it.
template <class P>
struct placed {
  ref<P> home;
  ref<P> far;
};

/// The two sides of a behaviour.
class lane_case {
 public:
  lane_case(lane over, const setting& how) : how_(how) {
    if (over == lane::local) {
      node_.emplace(start(how.options("front")));
    } else {
      nodes_.emplace(how);
    }
    uncounted_ = frames();
  }

  std::string lane_name() const { return local() ? "local" : how_.lane(); }
  bool local() const { return node_.has_value(); }
  unsigned workers() const { return how_.workers; }
  troupe::node& front() { return local() ? *node_ : nodes_->front; }
  troupe::node& back() { return local() ? *node_ : nodes_->back; }
  troupe::spawn_options at_front(std::uint32_t mailbox = 1024) const { return on_worker(0, mailbox); }
  troupe::spawn_options at_back(std::uint32_t mailbox = 1024) const {
    return on_worker(how_.workers - 1, mailbox);
  }

  /// Actors that finish() stops if they still live.
  template <class F, class... Args>
  auto spawn_back(const troupe::spawn_options& options, F f, Args&&... args) {
    const auto home = back().spawn(options, f, std::forward<Args>(args)...);
    left_behind_.emplace_back(&back(), home);
    return introduce(home);
  }
  template <class F, class... Args>
    requires(!std::same_as<F, troupe::spawn_options>)
  auto spawn_back(F f, Args&&... args) {
    return spawn_back(at_back(), f, std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  auto spawn_front(F f, Args&&... args) {
    const auto born = front().spawn(at_front(), f, std::forward<Args>(args)...);
    left_behind_.emplace_back(&front(), born);
    return born;
  }
  /// An actor of the back side, made known to front.
  template <class P>
  placed<P> introduce(const ref<P>& home) {
    if (local()) return {home, home};
    const std::uint64_t before = frames();
    const placed<P> known = {home, seen_from(nodes_->front, nodes_->back, home)};
    uncounted_ += frames() - before;
    return known;
  }

  template <class P>
  void stop(const placed<P>& who) {
    back().stop(who.home);
  }
  template <class P>
  void kill(const placed<P>& who) {
    back().kill(who.home);
  }

  /// Runs `scenario` in an actor of front and waits for its end.
  template <class P = troupe::protocol<>, class F>
  void play_front(F scenario) {
    play<P>(front(), std::move(scenario), at_front());
  }
  template <class P = troupe::protocol<>, class F>
  playing start_front(F scenario) {
    return start_playing<P>(front(), std::move(scenario), at_front());
  }

  /// Waits until both sides have `live` actors of the test's together.
  bool left_alive(std::uint64_t live) {
    return eventually([&] { return live_actors() == live; });
  }
  std::uint64_t live_actors() {
    return local() ? front().live_actors() - 1 : front().live_actors() + back().live_actors() - 4;
  }
  /// Dead letters of both sides.
  std::uint64_t undelivered(errc why) {
    const auto at = [&](troupe::node& n) {
      return n.accounting().undelivered[static_cast<std::size_t>(why)];
    };
    return at(front()) + (local() ? 0 : at(back()));
  }
  std::uint64_t pending() { return back().accounting().pending; }

  void finish() {
    if (local()) {
      CHECK(front().links().empty());
    } else {
      CHECK(eventually([&] { return frames() > uncounted_; }));
    }
    for (const auto& [at, who] : left_behind_) at->stop(who);
    if (local()) {
      CHECK(left_alive(0));
      settled(front());
      check_stops(front());
      CHECK(tracked::alive.load() == 0);
    } else {
      nodes_->finish();
    }
  }

 private:
  std::uint64_t frames() {
    if (local()) return 0;
    const auto there = link_to(front(), "back");
    const auto here = link_to(back(), "front");
    return there.frames_in + there.frames_out + here.frames_in + here.frames_out;
  }

  setting how_;
  std::optional<troupe::node> node_;
  std::optional<two_nodes> nodes_;
  std::uint64_t uncounted_ = 0;  // frames that the case itself has caused
  std::vector<std::pair<troupe::node*, ref<>>> left_behind_;
};

inline void run_on_lane(lane over, const std::vector<setting>& settings, void (*behaviour)(lane_case&)) {
  for (const setting& how : settings) {
    INFO((over == lane::local ? "local, " + std::to_string(how.workers) + " workers" : how.text()));
    const std::uint64_t blocks = troupe::detail::pool_blocks_out();
    {
      lane_case on(over, how);
      behaviour(on);
      on.finish();
    }
    CHECK(troupe::detail::pool_blocks_out() == blocks);
  }
}

}  // namespace test

#define TROUPE_LANE_CASES(function, settings, name)                                    \
  static void function(test::lane_case& on);                                           \
  TEST_CASE("local: " name, "[lane][lane-local]") {                                    \
    test::run_on_lane(test::lane::local, test::settings(test::lane::local), function); \
  }                                                                                    \
  TEST_CASE("shm: " name, "[lane][lane-shm]") {                                        \
    test::run_on_lane(test::lane::shm, test::settings(test::lane::shm), function);     \
  }                                                                                    \
  TEST_CASE("tcp: " name, "[lane][lane-tcp]") {                                        \
    test::run_on_lane(test::lane::tcp, test::settings(test::lane::tcp), function);     \
  }                                                                                    \
  static void function([[maybe_unused]] test::lane_case& on)
#define TROUPE_LANE_JOIN(a, b) a##b
#define TROUPE_LANE_FUNCTION(line) TROUPE_LANE_JOIN(lane_behaviour_, line)

#define LANE_TEST(name) TROUPE_LANE_CASES(TROUPE_LANE_FUNCTION(__LINE__), every_setting, name)
/// For what takes long: once a lane, with two workers a side.
#define LANE_TEST_ONCE(name) TROUPE_LANE_CASES(TROUPE_LANE_FUNCTION(__LINE__), two_workers, name)
