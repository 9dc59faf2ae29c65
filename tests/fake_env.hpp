// An env for tests of the runtime: a clock that the test moves, and an I/O driver whose operations end when
// the test says so. Descriptors are mere numbers; the env knows which of them are open, and the driver checks
// its rules. One thread, but for wake().
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/assert.hpp>
#include <troupe/detail/worker.hpp>

#include "catch.hpp"
#include "io_driver.hpp"

namespace troupe::test {

using namespace std::chrono_literals;

class fake_driver final : public detail::io_driver {
 public:
  enum class kind { accept, connect, receive, send, readable, writable };
  struct started {
    detail::io_operation* op;
    kind what;
    int fd;
    std::span<std::byte> into;
    std::span<const std::byte> from;
  };

  ~fake_driver() override {
    TROUPE_ASSERT(in_flight_.empty() && done_.empty(), "operations in flight at the end of their driver");
  }
  io_backend backend() const noexcept override { return io_backend::asio; }

  // What the test sees and decides.
  const started* find(int fd, kind what) const {
    const auto it = std::find_if(in_flight_.begin(), in_flight_.end(),
                                 [&](const started& s) { return s.fd == fd && s.what == what; });
    return it == in_flight_.end() ? nullptr : &*it;
  }
  std::size_t in_flight() const { return in_flight_.size(); }
  /// The handler runs in the next turn.
  void complete(int fd, kind what, std::int32_t result) {
    const started* const s = find(fd, what);
    TROUPE_ASSERT(s != nullptr, "the test completes an operation that was not started");
    finish_later(s->op, result);
  }
  void arrive(int fd, std::string_view text) {
    const started* const s = find(fd, kind::receive);
    TROUPE_ASSERT(s != nullptr && s->into.size() >= text.size(),
                  "the test sends more than somebody receives");
    std::copy_n(reinterpret_cast<const std::byte*>(text.data()), text.size(), s->into.data());
    complete(fd, kind::receive, static_cast<std::int32_t>(text.size()));
  }
  /// Takes at most `most` bytes of what is being sent.
  std::string leave(int fd, std::size_t most) {
    const started* const s = find(fd, kind::send);
    TROUPE_ASSERT(s != nullptr, "the test takes what nobody sends");
    std::string taken(reinterpret_cast<const char*>(s->from.data()), std::min(most, s->from.size()));
    complete(fd, kind::send, static_cast<std::int32_t>(taken.size()));
    return taken;
  }
  bool hold_cancelled = false;  // cancelled operations stay in flight until the test completes them
  std::optional<instant> slept_until;
  std::atomic<unsigned> wakes{0};
  std::function<void()> in_turn;  // what other threads do while the worker sleeps

  // io_driver
  void accept(detail::io_operation& op, int fd) override { start({&op, kind::accept, fd, {}, {}}); }
  void connect(detail::io_operation& op, int fd, const endpoint&) override {
    start({&op, kind::connect, fd, {}, {}});
  }
  void receive(detail::io_operation& op, int fd, std::span<std::byte> into) override {
    start({&op, kind::receive, fd, into, {}});
  }
  void send(detail::io_operation& op, int fd, std::span<const std::byte> from) override {
    start({&op, kind::send, fd, {}, from});
  }
  void wait_readable(detail::io_operation& op, int fd) override { start({&op, kind::readable, fd, {}, {}}); }
  void wait_writable(detail::io_operation& op, int fd) override { start({&op, kind::writable, fd, {}, {}}); }
  void cancel(detail::io_operation& op) noexcept override {
    TROUPE_ASSERT(op.in_flight, "cancel operations in flight only");
    ++cancels;
    if (!hold_cancelled) finish_later(&op, -ECANCELED);
  }
  void forget(int fd) noexcept override { forgotten.insert(fd); }
  void turn(std::optional<instant> until) override {
    slept_until = until;
    if (in_turn) std::exchange(in_turn, nullptr)();
    for (const auto& [op, result] : std::exchange(done_, {})) {
      op->in_flight = false;
      op->on_complete(*op, result);
    }
  }
  void wake() noexcept override { wakes.fetch_add(1); }

  std::set<int> forgotten;
  unsigned cancels = 0;

 private:
  void start(started s) {
    TROUPE_ASSERT(!s.op->in_flight, "an operation is started while it is in flight");
    for (const started& other : in_flight_) {
      const auto outward = [](kind k) {
        return k == kind::connect || k == kind::send || k == kind::writable;
      };
      TROUPE_ASSERT(other.fd != s.fd || outward(other.what) != outward(s.what),
                    "two operations of one side on one descriptor");
    }
    s.op->in_flight = true;
    in_flight_.push_back(s);
  }
  void finish_later(detail::io_operation* op, std::int32_t result) {
    if (std::erase_if(in_flight_, [&](const started& s) { return s.op == op; }) != 0)
      done_.push_back({op, result});
  }

  std::vector<started> in_flight_;
  std::vector<std::pair<detail::io_operation*, std::int32_t>> done_;
};

class fake_env final : public env {
 public:
  ~fake_env() override { TROUPE_ASSERT(open.empty(), "a descriptor was never closed"); }

  instant time{1s};
  std::set<int> open;
  std::vector<fake_driver*> drivers;  // by worker
  bool refuse_sockets = false;

  int make_fd() { return *open.insert(next_fd_++).first; }

  instant now() noexcept override { return time; }
  std::uint64_t random() noexcept override { return next_random_ = next_random_ * 6364136223846793005u + 1; }
  std::uint32_t user_id() noexcept override { return 1; }
  std::int32_t process_id() noexcept override { return 1; }
  unsigned processors() noexcept override { return 3; }
  std::unique_ptr<running_thread> run(detail::worker&) override { return nullptr; }
  std::unique_ptr<running_thread> run_beside(std::function<void()>) override { return nullptr; }
  bool sleep_in(detail::waiting_room&, instant) override { return false; }
  std::int32_t thread_id() noexcept override { return 1; }
  thread_times times_of(std::int32_t) noexcept override { return {}; }
  result<std::unique_ptr<detail::io_driver>, setup_error> open_io(io_backend, std::string& note) override {
    note = "fake";
    auto driver = std::make_unique<fake_driver>();
    drivers.push_back(driver.get());
    return std::unique_ptr<detail::io_driver>(std::move(driver));
  }
  result<descriptor, setup_error> listen(const endpoint&, int, duration) override { return make_socket(); }
  result<descriptor, setup_error> open_socket(const endpoint&) override { return make_socket(); }
  result<std::vector<endpoint>, setup_error> resolve(const endpoint& to) override { return std::vector{to}; }
  endpoint local_endpoint(int fd) override {
    endpoint at;
    at.host = "127.0.0.1";
    at.port = static_cast<std::uint16_t>(40000 + fd);
    return at;
  }
  endpoint remote_endpoint(int fd) override { return local_endpoint(fd); }
  void close(int fd) noexcept override {
    for (const fake_driver* const d : drivers) {
      for (const auto k : {fake_driver::kind::accept, fake_driver::kind::connect, fake_driver::kind::receive,
                           fake_driver::kind::send}) {
        TROUPE_ASSERT(d->find(fd, k) == nullptr, "a descriptor was closed under an operation");
      }
    }
    TROUPE_ASSERT(open.erase(fd) == 1, "a descriptor was closed twice");
  }

  // Not used by the runtime's own classes.
  result<peer_process> peer_of(int) override { return errc::not_found; }
  result<void> send_descriptors(int, std::span<const std::byte>, std::span<const int>) override {
    return errc::not_found;
  }
  result<received_descriptors> receive_descriptors(int, std::span<std::byte>, std::size_t) override {
    return errc::not_found;
  }
  result<std::pair<descriptor, mapping>> create_segment(std::size_t) override { return errc::not_found; }
  result<mapping> map_segment(int, std::size_t) override { return errc::not_found; }
  void unmap(std::byte*, std::size_t) noexcept override {}
  result<descriptor> open_event() override { return errc::not_found; }
  void signal_event(int) noexcept override {}
  void drain_event(int) noexcept override {}
  result<doorbell> open_doorbell() override { return errc::not_found; }
  bool can_hear(int) noexcept override { return false; }
  void ring(int) noexcept override {}
  bool hear(int) noexcept override { return false; }
  result<std::unique_ptr<file>> open_file(const std::string&, file_use) override { return errc::not_found; }
  result<void> rename_file(const std::string&, const std::string&) override { return errc::not_found; }
  result<void> remove_file(const std::string&) override { return errc::not_found; }

 private:
  result<descriptor, setup_error> make_socket() {
    if (refuse_sockets) return setup_error("no sockets today");
    return descriptor(*this, make_fd());
  }
  int next_fd_ = 100;
  std::uint64_t next_random_ = 1;
};

/// A worker over a fake env; the test gives it its turns, and is on the worker's thread all the time.
struct fake_machine {
  fake_env world;
  std::string note;
  detail::worker worker{world, 0, world.open_io(io_backend::automatic, note).value()};
  fake_driver& io = *world.drivers.front();

  fake_machine() { detail::current_worker = &worker; }
  ~fake_machine() { detail::current_worker = nullptr; }
  void turns(unsigned count = 1) {
    for (; count != 0; --count) worker.turn(false);
  }
  void pass(duration d) {
    world.time += d;
    turns();
  }
};

}  // namespace troupe::test
