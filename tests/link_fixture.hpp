// Two or more nodes in one process, each a scheduler and a hub, with a session_host that records what
// happens. The host's state is behind a mutex; tests wait for it with a deadline and never sleep.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "catch.hpp"
#include "handshake.hpp"
#include "hub.hpp"
#include "link_session.hpp"
#include "sending_stream.hpp"

namespace link_test {

using namespace troupe;
using namespace troupe::detail;
using namespace std::chrono_literals;

struct note {
  std::uint64_t number;
  std::string text;
};

inline constexpr std::size_t empty_note = 8 + 4;  // bytes of a note without text, encoded
/// Of the limit of a pool that both nodes of a pair have: their rings fit in it, and no slab.
inline constexpr std::uint64_t room_for_rings = bulk_pool::shared_slab - 1;

struct arrival {
  std::uint64_t target;
  std::uint64_t number;
  std::uint32_t stream;
  std::size_t size;
  std::uint64_t correlation;
  bool deadline;
};

/// What a node saw. Fields are read and changed under `mutex`, by `wait_until` and `with`.
struct record {
  std::vector<arrival> arrivals;
  std::vector<std::string> controls;
  std::vector<std::size_t> arrivals_at_control;  // how many there were
  std::vector<std::pair<std::uint64_t, errc>> replies;
  std::vector<std::string> ups;
  std::vector<std::pair<link_end, std::string>> downs;
  std::vector<held_credit> held;  // of targets that do not consume
  std::map<unsigned, out_stream*> streams;
  session* link = nullptr;
  unsigned home = 0;  // the index of its home worker
  std::uint64_t acked = 0;
  std::uint64_t unacked = 0;
  std::uint64_t lost = 0;                         // messages for which there was no memory
  std::map<const session*, unsigned> streams_of;  // of each link that comes up or is up
  unsigned streams_up = 0;
  unsigned streams_down = 0;
  bool handed_over_early = false;  // before link_up
  bool linked = false;
  std::vector<bool> stalls;      // and goings on
  std::vector<lane_kind> lanes;  // to which the link has changed
};

class recording_host : public session_host {
 public:
  explicit recording_host(unsigned workers) : workers_(workers) {}

  std::uint64_t first_slow_target = 1'000'000;  // from here on, targets do not consume by themselves
  result<void> admission{};
  std::function<void(session&)> on_link_up = [](session&) {};

  template <class F>
  auto with(F f) {
    const std::lock_guard lock(mutex_);
    return f(state_);
  }
  /// False after ten seconds.
  template <class F>
  bool wait_until(F f) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return f(state_); });
  }

  result<void> admit(const node_identity&) override { return admission; }
  void stream_up(worker& on, session& s, out_stream& stream) override {
    change([&](record& r) {
      CHECK_ALWAYS(&stream.owner() == &s && current_worker == &on);
      r.streams[on.index()] = &stream;
      ++r.streams_up;
      ++r.streams_of[&s];
    });
  }
  void link_up(session& s) override {
    change([&](record& r) {
      CHECK_ALWAYS(r.streams_of[&s] == workers_ && current_worker == &s.home());
      r.link = &s;
      r.home = s.home().index();
      r.linked = true;
      r.ups.push_back(s.peer().name);
    });
    on_link_up(s);
  }
  route_binding bind(session&, std::uint64_t target, std::string_view) override {
    return {&deliver, reinterpret_cast<std::uintptr_t>(this), target};
  }
  void reply(session&, std::uint64_t correlation, errc status, reader& body, const bulk&) override {
    note n;
    if (status == errc::ok) wire_type_of<note>.decode(body, &n, false);
    change([&](record& r) { r.replies.emplace_back(correlation, status); });
  }
  void control(session&, const control_note& c) override {
    change([&](record& r) {
      r.controls.push_back(std::to_string(c.kind) + ":" + std::to_string(c.subject) + ":" +
                           std::to_string(c.object) + ":" + std::to_string(c.code) + ":" +
                           std::string(c.text));
      r.arrivals_at_control.push_back(r.arrivals.size());
    });
  }
  void link_stalled(session& s) override {
    change([&](record& r) { r.stalls.push_back(s.stalled()); });
  }
  void lane_changed(session& s) override {
    change([&](record& r) { r.lanes.push_back(s.lane()); });
  }
  void stream_acked(worker&, std::uint64_t messages) override {
    change([&](record& r) { r.acked += messages; });
  }
  void stream_down(worker& on, session&, std::uint64_t unacked) override {
    change([&](record& r) {
      r.streams.erase(on.index());
      r.unacked += unacked;
      ++r.streams_down;
    });
  }
  void link_down(session& s, link_end why, std::string_view text) override {
    change([&](record& r) {
      r.streams_of.erase(&s);
      r.link = nullptr;
      r.linked = false;
      r.downs.emplace_back(why, text);
    });
  }

 private:
  static void CHECK_ALWAYS(bool ok) {
    if (!ok) std::abort();  // Catch2's assertions are for the test's own thread
  }
  static void deliver(std::uint64_t cookie, std::uint64_t target, session& from, inbound_message& message) {
    auto& self = *reinterpret_cast<recording_host*>(cookie);
    if (message.lost) {
      self.change([](record& r) { ++r.lost; });
      return from.consumed(message.credit);
    }
    note n;
    const std::size_t size = message.body.remaining();
    wire_type_of<note>.decode(message.body, &n, false);
    if (!message.body.ok()) return;
    self.change([&](record& r) {
      r.handed_over_early = r.handed_over_early || !r.linked;
      r.arrivals.push_back({target, n.number, message.credit.stream, size, message.correlation,
                            message.deadline != instant{}});
      if (target >= self.first_slow_target) r.held.push_back(message.credit);
    });
    if (target < self.first_slow_target) from.consumed(message.credit);
  }
  template <class F>
  void change(F f) {
    {
      const std::lock_guard lock(mutex_);
      f(state_);
    }
    changed_.notify_all();
  }

  unsigned workers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  record state_;
};

struct test_node_options {
  unsigned workers = 1;
  io_backend io = io_backend::automatic;
  bool tcp_only = false;
  std::string name = "node";
};

/// One node. Closed, and its threads stopped, when it is destroyed.
class test_node {
 public:
  explicit test_node(const test_node_options& o, const std::function<void(link_options&)>& adjust = {},
                     env& world = os_env())
      : host(o.workers), workers_(*scheduler::create(world, {o.workers, o.io})) {
    link_options options;
    options.self = {o.name, {os_env().random(), os_env().random()}};
    options.tcp_only = o.tcp_only;
    options.bulks = std::make_shared<bulk_pool>(world, std::uint64_t{256} << 20);
    if (adjust) adjust(options);
    identity = options.self;
    hub_ = hub::create(*workers_, host, options);
  }
  ~test_node() {
    if (hub_) close();
    workers_->stop();
  }

  endpoint listen(const char* url = "tcp://127.0.0.1:0") {
    auto at = hub_->listen(*endpoint::parse(url));
    if (!at) throw std::runtime_error(at.error().text);
    return *at;
  }
  void start() { workers_->start(); }
  /// Runs `f` on a worker and waits for it.
  template <class F>
  auto on(unsigned index, F f) {
    std::promise<decltype(f())> done;
    workers_->at(index).post([&](worker&) {
      if constexpr (std::is_void_v<decltype(f())>) {
        f();
        done.set_value();
      } else {
        done.set_value(f());
      }
    });
    return done.get_future().get();
  }
  /// The peer's name, or the error.
  std::future<std::string> join_later(const endpoint& to, duration within = 5s) {
    auto done = std::make_shared<std::promise<std::string>>();
    workers_->at(0).post([this, done, to, within](worker& w) {
      hub_->join(to, w.now() + within, [done](result<session*, setup_error> r) {
        done->set_value(r ? (*r)->peer().name : "error: " + r.error().text);
      });
    });
    return done->get_future();
  }
  std::string join(const endpoint& to, duration within = 5s) { return join_later(to, within).get(); }
  void close() {
    std::promise<void> done;
    workers_->at(0).post([&](worker&) { hub_->close([&] { done.set_value(); }); });
    done.get_future().get();
    hub_.reset();
  }

  out_stream& stream(unsigned worker) {
    return *host.with([&](record& r) { return r.streams.at(worker); });
  }
  send_outcome send(unsigned from, std::uint64_t target, std::uint64_t number, std::size_t text = 0) {
    out_stream& out = stream(from);
    return on(from, [&] {
      const note n{number, std::string(text, 'x')};
      outgoing what;
      what.target = target;
      what.type = &wire_type_of<note>;
      what.message = &n;
      return out.try_send(what);
    });
  }
  /// Runs `f` with the session that was linked last, on its home worker.
  template <class F>
  auto with_link(F f) {
    const unsigned home = host.with([](record& r) { return r.home; });
    return on(home, [&] { return f(*host.with([](record& r) { return r.link; })); });
  }
  lane_kind lane() {
    return with_link([](session& s) { return s.lane(); });
  }
  std::string lane_reason() {
    return with_link([](session& s) { return s.lane_reason(); });
  }
  /// Gives back the credit of everything that slow targets hold.
  void consume_held() {
    with_link([&](session& s) {
      for (const held_credit& c : host.with([](record& r) { return std::exchange(r.held, {}); }))
        s.consumed(c);
    });
  }
  bool linked() {
    return host.wait_until([](record& r) { return r.linked; });
  }
  bool unlinked() {
    return host.wait_until([](record& r) { return !r.linked && !r.downs.empty(); });
  }
  std::pair<link_end, std::string> down() {
    return host.with([](record& r) { return r.downs.back(); });
  }
  scheduler& workers() { return *workers_; }

  recording_host host;
  node_identity identity;

 private:
  std::unique_ptr<scheduler> workers_;
  std::unique_ptr<hub> hub_;
};

struct lane_case {
  const char* name;
  lane_kind kind;
  io_backend io;
};

/// `back` listens, `front` has joined it over the lane in question.
struct pair_of_nodes {
  explicit pair_of_nodes(lane_kind lane, io_backend io = io_backend::automatic, unsigned front_workers = 1,
                         unsigned back_workers = 1, const std::function<void(link_options&)>& adjust = {},
                         env& world = os_env())
      : back(
            {back_workers, io, lane == lane_kind::tcp, "back"},
            [&](link_options& o) {
              if (adjust) adjust(o);
              if (lane == lane_kind::local_socket) o.tcp_only = true;
            },
            world),
        front({front_workers, io, lane == lane_kind::tcp, "front"}, adjust, world) {
    const std::string path = "unix://@troupe-test-" + std::to_string(os_env().random());
    const endpoint at = back.listen(lane == lane_kind::local_socket ? path.c_str() : "tcp://127.0.0.1:0");
    back.start();
    front.start();
    joined = front.join(at);
    back.linked();
    front.linked();
  }
  test_node back;
  test_node front;
  std::string joined;
};

inline lane_case each_lane() {
  return GENERATE(lane_case{"tcp", lane_kind::tcp, io_backend::asio},
                  lane_case{"tcp", lane_kind::tcp, io_backend::automatic},
                  lane_case{"local socket", lane_kind::local_socket, io_backend::automatic},
                  lane_case{"shm", lane_kind::shm, io_backend::asio},
                  lane_case{"shm", lane_kind::shm, io_backend::automatic});
}

/// A message that waits for room, with what became of it.
struct waiting_note {
  waiting_note(std::uint64_t target, std::uint64_t number, std::size_t text = 0)
      : message{number, std::string(text, 'w')} {
    waiter.what.target = target;
    waiter.what.type = &wire_type_of<note>;
    waiter.what.message = &message;
  }
  struct slot : room_waiter {
    slot()
        : room_waiter([](room_waiter& self, send_outcome how) noexcept {
            static_cast<slot&>(self).outcome.set_value(how);
          }) {}
    std::promise<send_outcome> outcome;
  };
  note message;
  slot waiter;
};

inline constexpr std::uint64_t slow = 1'000'000;  // a target whose messages are consumed only by consume_held

/// Keeps a worker busy until it is released.
struct blocked_worker {
  explicit blocked_worker(worker& w) {
    std::promise<void> there;
    w.post([&there, until = release.get_future().share()](worker&) {
      there.set_value();
      until.wait();
    });
    there.get_future().get();
  }
  std::promise<void> release;
};

}  // namespace link_test
