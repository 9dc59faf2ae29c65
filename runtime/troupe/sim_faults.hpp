// What a simulation may do to the programs in it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace troupe::sim {

enum class fault : std::uint8_t {
  short_io,        // a read or a write moves fewer bytes than it could
  clog,            // a connection becomes slow for a while
  cut,             // one direction of a connection carries nothing for a while
  reset,           // a connection breaks, and what was buffered in it is lost
  hang_up,         // a connection over a local socket ends, and both processes live
  refuse,          // nobody answers a connection attempt
  no_descriptors,  // the process may open no socket, or accept none, for now
  no_segment,      // the host gives no shared memory
  disk_error,  // a write, a resize or a sync of a file fails, and what it should have changed may be changed in part
  skew,        // a process's clock is up to 500 ppm fast or slow
  jump,        // a process's clock leaps ahead, as after a suspension
  stall,       // a worker gets no processor for a while
  pause,       // a whole process gets none (SIGSTOP)
  kill,        // a process dies (SIGKILL), and is started again as a new incarnation
  power_loss,  // every process of a host dies, and of what was not synced to its disk some is lost
  // Only in the project's own checked build:
  torn_store,  // it dies just before it stores to shared memory
  no_memory,   // there is no memory for a message
};
inline constexpr std::size_t fault_kinds = 17;
std::string_view to_string(fault kind) noexcept;

/// A set of fault kinds; a value.
class fault_set {
 public:
  static constexpr fault_set all() noexcept { return fault_set((1u << fault_kinds) - 1); }
  static constexpr fault_set none() noexcept { return fault_set(0); }

  constexpr bool has(fault kind) const noexcept { return (bits_ & bit(kind)) != 0; }
  constexpr fault_set with(fault kind) const noexcept { return fault_set(bits_ | bit(kind)); }
  constexpr fault_set without(fault kind) const noexcept { return fault_set(bits_ & ~bit(kind)); }
  constexpr bool operator==(const fault_set&) const noexcept = default;

 private:
  constexpr explicit fault_set(std::uint32_t bits) noexcept : bits_(bits) {}
  static constexpr std::uint32_t bit(fault kind) noexcept { return 1u << static_cast<unsigned>(kind); }
  std::uint32_t bits_;
};

/// How often each kind was injected, by fault.
using fault_counts = std::array<std::uint64_t, fault_kinds>;

}  // namespace troupe::sim
