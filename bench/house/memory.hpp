// How much memory this process has.
#pragma once

#include <cstdint>
#include <fstream>

#include <unistd.h>

namespace bench {

/// Bytes that are resident now.
inline double resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t pages = 0;
  in >> all >> pages;
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace bench
