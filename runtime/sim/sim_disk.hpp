// The disk of a simulated host, which outlives the processes on it. It has one folder, in which all of them work: a name
// with a slash in it would lie in a folder that is missing.
//
// What a process has written is in the page cache of its host: the others see it, and it stays when the process is killed.
// When the host loses power (fault::power_loss), each sector that was written since the last sync is kept or lost, and so
// is the end of the file. After a sync that failed (fault::disk_error), a later one says nothing about the sectors of
// before, as with Linux; they have to be written again.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <troupe/env.hpp>

#include "sim/chance.hpp"

namespace troupe::detail {

class sim_process;

/// What names and open files stand for.
class sim_file {
 public:
  static constexpr std::size_t sector_size = 512;
  static constexpr std::uint64_t most_bytes = std::uint64_t{1} << 28;

  std::size_t size() const noexcept { return bytes_.size(); }
  std::size_t read(std::uint64_t at, std::span<std::byte> into) const noexcept;
  /// Up to most_bytes.
  void write(std::size_t at, std::span<const std::byte> bytes);
  void resize(std::size_t bytes);
  void synced();
  void sync_failed() noexcept;
  void lose_power(chance& by);

 private:
  using sector = std::array<std::byte, sector_size>;
  struct unsynced {
    sector stored;           // what lies on the disk itself
    bool forgotten = false;  // a sync has failed since it was written
  };
  void touch(std::size_t from, std::size_t to);

  std::vector<std::byte> bytes_;
  std::size_t stored_size_ = 0;
  std::map<std::size_t, unsynced> unsynced_;  // by number of the sector
};

class sim_disk {
 public:
  result<std::unique_ptr<file>> open(sim_process& by, const std::string& name, file_use how);
  result<void> rename(const std::string& from, const std::string& to);
  result<void> remove(const std::string& name);
  void lose_power(chance& by);

 private:
  std::map<std::string, std::shared_ptr<sim_file>> files_;
};

}  // namespace troupe::detail
