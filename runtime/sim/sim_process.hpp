// A simulated process: the env that a node in it uses. One life; a restart is a new process.
//
// Death. kill() cuts the process off from the world between two instructions: its connections end, its memory is
// copied, so that what it still writes nobody sees, and its operations fail. The objects live on, apart from the world
// and by a clock of their own, until their owner destroys them in the ordinary way: so nothing leaks, and destructors of
// the dead are exercised, too.
#pragma once

#include <string>
#include <vector>

#include <troupe/detail/worker.hpp>

#include "sim/chance.hpp"
#include "sim/sim_driver.hpp"

namespace troupe::detail {

/// For the checked build (troupe/detail/checked.hpp).
namespace simulated {
void store_comes() noexcept;
bool allocation_fails() noexcept;
}  // namespace simulated

class sim_process final : public env {
 public:
  sim_process(universe& of, std::string host, bool mortal, std::int32_t pid, std::uint64_t seed);
  ~sim_process() override;

  const std::string& host() const noexcept { return host_; }
  bool mortal() const noexcept { return mortal_; }
  bool alive() const noexcept { return alive_; }
  void kill();

  // Its clock, by the universe's.
  instant local(instant universal) const noexcept;
  instant universal(instant here) const noexcept;
  void skew(std::int64_t ppm) noexcept;
  void leap(duration by) noexcept { origin_here_ += by; }

  // The universe's scheduling.
  struct sim_worker {
    worker* w;
    sim_driver* io;
    instant stalled_until{};
  };
  std::vector<sim_worker>& workers() noexcept { return workers_; }
  instant paused_until{};

  object_ptr object(int fd) const;
  int adopt(object_ptr o);
  universe& world() const noexcept { return world_; }
  void dial(int socket, const endpoint& to);

  // env
  instant now() noexcept override;
  std::uint64_t random() noexcept override { return chance_.next(); }
  std::uint32_t user_id() noexcept override { return 1000; }
  std::int32_t process_id() noexcept override { return pid_; }
  unsigned processors() noexcept override { return 2; }
  bool spreads(bool pays) noexcept override;
  std::unique_ptr<running_thread> run(worker& w) override;
  std::unique_ptr<running_thread> run_beside(std::function<void()>) override { return nullptr; }
  bool sleep_in(waiting_room& room, instant until) override;
  std::int32_t thread_id() noexcept override { return pid_; }
  thread_times times_of(std::int32_t) noexcept override { return {}; }
  result<std::unique_ptr<io_driver>, setup_error> open_io(io_backend wanted, std::string& note) override;
  result<descriptor, setup_error> listen(const endpoint& at, int backlog, duration patience) override;
  result<descriptor, setup_error> open_socket(const endpoint& to) override;
  result<std::vector<endpoint>, setup_error> resolve(const endpoint& to) override { return std::vector{to}; }
  endpoint local_endpoint(int fd) override;
  endpoint remote_endpoint(int fd) override;
  void close(int fd) noexcept override;
  result<peer_process> peer_of(int local_socket) override;
  result<void> send_descriptors(int local_socket, std::span<const std::byte> bytes,
                                std::span<const int> descriptors) override;
  result<received_descriptors> receive_descriptors(int local_socket, std::span<std::byte> into,
                                                   std::size_t at_most) override;
  result<std::pair<descriptor, mapping>> create_segment(std::size_t size) override;
  result<mapping> map_segment(int fd, std::size_t size) override;
  void unmap(std::byte* data, std::size_t size) noexcept override;
  result<descriptor> open_event() override;
  void signal_event(int fd) noexcept override;
  void drain_event(int fd) noexcept override;
  result<doorbell> open_doorbell() override;
  bool can_hear(int fd) noexcept override;
  void ring(int fd) noexcept override {
    if (alive_) signal_event(fd);
  }
  bool hear(int fd) noexcept override;
  result<std::unique_ptr<file>> open_file(const std::string& path, file_use how) override;
  result<void> rename_file(const std::string& from, const std::string& to) override;
  result<void> remove_file(const std::string& path) override;

 private:
  template <class Change>
  result<void> change_names(const Change& change);
  class simulated_thread;
  struct own_segment {
    std::byte* data;
    std::size_t size;
    std::shared_ptr<sim_segment> memory;
  };
  bool turn_alone(instant until);
  instant now_here() const noexcept;
  std::vector<std::string> keys_to_bind(const endpoint& at) const;
  std::string key_to_dial(const endpoint& to) const;

  universe& world_;
  std::string host_;
  bool mortal_;
  std::int32_t pid_;
  chance chance_;
  bool alive_ = true;
  duration alone_{};  // how long it has gone on after its death
  instant died_{};
  instant origin_universal_;
  instant origin_here_;
  std::int64_t ppm_ = 0;
  std::vector<object_ptr> descriptors_;
  std::vector<own_segment> segments_;
  std::vector<sim_worker> workers_;
};

}  // namespace troupe::detail
