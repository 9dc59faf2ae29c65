// The env of the real kernel. One object per process; its functions are defined by concept: os_env.cpp
// (clock, chance, identity, threads, choice of the I/O driver), sockets.cpp, descriptors.cpp (peers, descriptor
// passing, events), shared_segment.cpp, fifos.cpp, processes.cpp and files.cpp. Thread-safe: the only state is the list of socket files, behind
// a mutex.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include <troupe/env.hpp>
#include "io_driver.hpp"

namespace troupe::detail {

class kernel_env : public env {
 public:
  instant now() noexcept override;
  std::uint64_t random() noexcept override;
  std::uint32_t user_id() noexcept override;
  std::int32_t process_id() noexcept override;
  void keep_freed_memory(std::size_t bytes) noexcept override;
  unsigned processors() noexcept override;
  duration look_out_for(unsigned workers) noexcept override;
  std::unique_ptr<running_thread> run(worker& w) override;
  std::unique_ptr<running_thread> run_beside(std::function<void()> body) override;
  bool sleep_in(waiting_room& room, instant until) override;
  std::int32_t thread_id() noexcept override;
  thread_times times_of(std::int32_t thread) noexcept override;

  result<std::unique_ptr<io_driver>, setup_error> open_io(io_backend wanted, std::string& note) override;

  result<descriptor, setup_error> listen(const endpoint& at, int backlog, duration patience) override;
  result<descriptor, setup_error> open_socket(const endpoint& to) override;
  result<std::vector<endpoint>, setup_error> resolve(const endpoint& to) override;
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

  result<descriptor, setup_error> open_fifo(const std::string& path, fifo_use how) override;
  result<std::size_t> read_fifo(int fifo, std::span<std::byte> into) override;
  result<std::size_t> write_fifo(int fifo, std::span<const std::byte> from) override;

  result<descriptor> open_event() override;
  void signal_event(int fd) noexcept override;
  void drain_event(int fd) noexcept override;
  result<doorbell> open_doorbell() override;
  bool can_hear(int fd) noexcept override;
  void ring(int fd) noexcept override;
  bool hear(int fd) noexcept override;

  result<started_process, setup_error> start_process(const program& what, bool linked) override;
  bool end_process(const started_process& which, bool at_once) noexcept override;
  std::optional<exit_status> reap_process(const started_process& which) noexcept override;
  result<inherited_link, setup_error> take_inherited_link() override;

  result<std::unique_ptr<file>> open_file(const std::string& path, file_use how) override;
  result<void> rename_file(const std::string& from, const std::string& to) override;
  result<void> remove_file(const std::string& path) override;

 private:
  std::mutex mutex_;
  std::unordered_map<int, std::string> socket_files_;  // listener -> the file to remove when it closes
};

}  // namespace troupe::detail
