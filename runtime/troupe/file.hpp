// troupe::file: a file on the disk of this machine, as something that must survive a loss of power needs it. An env opens
// it (troupe/env.hpp, "Disk").
//
// What is written is at once what every process of the machine reads, and is still there after the process has been killed.
// Only what was synced is there after a loss of power; of what was written since, each sector may be or not be.
//
// Errors: io_failed (its detail is the errno), and then what the call should have changed may be changed in part.
//
// Thread-safety: one thread at a time. Every call may block for as long as the disk takes, so none belongs into a handler
// that others wait for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <troupe/result.hpp>

namespace troupe {

/// An open file; its destructor closes it, and syncs nothing.
class file {
 public:
  file() = default;
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  virtual ~file() = default;

  virtual result<std::uint64_t> size() = 0;
  /// The bytes read: fewer than asked for only at the end of the file. What was never written before the end is zero.
  virtual result<std::size_t> read(std::uint64_t at, std::span<std::byte> into) = 0;
  /// All of it; the file grows as needed. After an error any part of it may be there.
  virtual result<void> write(std::uint64_t at, std::span<const std::byte> bytes) = 0;
  /// Cuts the end off, or adds zeros.
  virtual result<void> resize(std::uint64_t bytes) = 0;
  /// What was written and resized before survives a loss of power. After an error nothing is known about what was not
  /// synced, also not after a later sync without one: the kernel forgets what it could not write. Write it again, best
  /// into another file that then takes this one's name.
  virtual result<void> sync() = 0;
};

/// Whether a file that is missing is made.
enum class file_use : std::uint8_t { existing, create };

}  // namespace troupe
