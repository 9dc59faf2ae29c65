#include "sim/sim_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sim/universe.hpp"

namespace troupe::detail {

// What is on the disk.

std::size_t sim_file::read(std::uint64_t at, std::span<std::byte> into) const noexcept {
  if (at >= bytes_.size()) return 0;
  const auto from = static_cast<std::size_t>(at);
  const std::size_t n = std::min(into.size(), bytes_.size() - from);
  std::copy_n(bytes_.data() + from, n, into.data());
  return n;
}

/// These bytes are about to change: remembers the sectors as they are stored.
void sim_file::touch(std::size_t from, std::size_t to) {
  for (std::size_t i = from / sector_size; i * sector_size < to; ++i) {
    const auto [known, fresh] = unsynced_.try_emplace(i);
    known->second.forgotten = false;
    if (fresh) {
      known->second.stored = {};
      read(i * sector_size, known->second.stored);
    }
  }
}

void sim_file::write(std::size_t at, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  touch(at, at + bytes.size());
  bytes_.resize(std::max(bytes_.size(), at + bytes.size()));
  std::ranges::copy(bytes, bytes_.data() + at);
}

void sim_file::resize(std::size_t bytes) {
  if (bytes < bytes_.size()) touch(bytes, bytes_.size());
  bytes_.resize(bytes);
}

void sim_file::synced() {
  std::erase_if(unsynced_, [](const auto& each) { return !each.second.forgotten; });
  stored_size_ = bytes_.size();
}

void sim_file::sync_failed() noexcept {
  for (auto& [number, s] : unsynced_) s.forgotten = true;
}

void sim_file::lose_power(chance& by) {
  const std::size_t least = std::min(stored_size_, bytes_.size());
  const std::size_t most = std::max(stored_size_, bytes_.size());
  const std::size_t ends[] = {stored_size_, bytes_.size(), by.between(least, most)};
  const std::size_t size = ends[by.below(3)];
  // Beyond both ends there may be sectors that a failed sync has left in doubt.
  const std::size_t last = unsynced_.empty() ? 0 : (unsynced_.rbegin()->first + 1) * sector_size;
  bytes_.resize(std::max(last, (most + sector_size - 1) / sector_size * sector_size));
  for (const auto& [number, s] : unsynced_) {
    const bool lost = by.one_in(2);
    if (lost) std::ranges::copy(s.stored, bytes_.data() + number * sector_size);
  }
  bytes_.resize(size);
  stored_size_ = size;
  unsynced_.clear();
}

// What a process sees of it.

namespace {

class open_file final : public file {
 public:
  open_file(sim_process& by, std::shared_ptr<sim_file> of) noexcept : by_(by), of_(std::move(of)) {}

  result<std::uint64_t> size() override {
    if (!by_.alive()) return error(errc::io_failed, EIO);
    return of_->size();
  }

  result<std::size_t> read(std::uint64_t at, std::span<std::byte> into) override {
    if (!by_.alive()) return error(errc::io_failed, EIO);
    return of_->read(at, into);
  }

  result<void> write(std::uint64_t at, std::span<const std::byte> bytes) override {
    const bool fits = at <= sim_file::most_bytes && bytes.size() <= sim_file::most_bytes - at;
    const error wrong = trouble(fits);
    if (wrong == errc::ok) {
      of_->write(static_cast<std::size_t>(at), bytes);
      return {};
    }
    if (by_.alive() && fits) {
      const std::size_t done = of_disk().below(bytes.size() + 1);
      of_->write(static_cast<std::size_t>(at), bytes.first(done));
    }
    return wrong;
  }

  result<void> resize(std::uint64_t bytes) override {
    const error wrong = trouble(bytes <= sim_file::most_bytes);
    if (wrong != errc::ok) return wrong;
    of_->resize(static_cast<std::size_t>(bytes));
    return {};
  }

  result<void> sync() override {
    const error wrong = trouble(true);
    if (wrong == errc::ok) {
      of_->synced();
      return {};
    }
    if (by_.alive()) of_->sync_failed();
    return wrong;
  }

 private:
  chance& of_disk() const noexcept { return by_.world().of(sim::fault::disk_error); }

  /// What keeps this change from the disk; ok: nothing.
  error trouble(bool fits) const {
    if (!by_.alive()) return {errc::io_failed, EIO};
    if (!fits) return {errc::io_failed, EFBIG};
    if (!by_.world().roll(sim::fault::disk_error, 30)) return errc::ok;
    return {errc::io_failed, of_disk().one_in(2) ? EIO : ENOSPC};
  }

  sim_process& by_;
  std::shared_ptr<sim_file> of_;
};

}  // namespace

result<std::unique_ptr<file>> sim_disk::open(sim_process& by, const std::string& name, file_use how) {
  auto found = files_.find(name);
  if (found == files_.end()) {
    if (how == file_use::existing || name.empty() || name.find('/') != name.npos) return errc::not_found;
    found = files_.emplace(name, std::make_shared<sim_file>()).first;
  }
  return std::unique_ptr<file>(std::make_unique<open_file>(by, found->second));
}

result<void> sim_disk::rename(const std::string& from, const std::string& to) {
  const auto found = files_.find(from);
  if (found == files_.end() || to.empty() || to.find('/') != to.npos) return errc::not_found;
  const std::shared_ptr<sim_file> moved = found->second;
  files_.erase(found);
  files_.insert_or_assign(to, moved);
  return {};
}

result<void> sim_disk::remove(const std::string& name) {
  if (files_.erase(name) == 0) return errc::not_found;
  return {};
}

void sim_disk::lose_power(chance& by) {
  for (const auto& [name, f] : files_) f->lose_power(by);
}

}  // namespace troupe::detail
